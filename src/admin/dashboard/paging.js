// Forward and back through pages that only have a cursor to the next one. Pure but for `load`.

export class Pages {
  // `load(cursor)` gives {rows, next}; the first page's cursor is null.
  constructor(load) {
    this.load = load;
    this.cursors = [null]; // of the pages up to this one
    this.rows = [];
    this.next = null;
  }

  get number() {
    return this.cursors.length;
  }
  get hasBefore() {
    return this.cursors.length > 1;
  }
  get hasNext() {
    return this.next !== null;
  }

  // A page may be empty and have a next: it's passed over, but not for ever, so that a server that
  // looks through millions for a rare one isn't asked without end.
  async show(cursor, pagesMax = 20) {
    let at = cursor;
    for (let page = 0; ; page += 1) {
      const answer = await this.load(at);
      if (answer.rows.length > 0 || answer.next === null || page + 1 >= pagesMax) {
        this.rows = answer.rows;
        this.next = answer.next;
        return at;
      }
      at = answer.next;
    }
  }

  async refresh() {
    await this.show(this.cursors.at(-1));
  }
  async forward() {
    if (!this.hasNext) return;
    const from = this.next;
    const shown = await this.show(from);
    this.cursors.push(shown);
  }
  async back() {
    if (!this.hasBefore) return;
    await this.show(this.cursors.at(-2));
    this.cursors.pop();
  }
}
