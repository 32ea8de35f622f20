// Forward and back through pages that only have a cursor to the next one. Pure but for `load`.

export class Pages {
  // `load(cursor, limit)` gives {rows, next}; the first page's cursor is null.
  constructor(load, rowsWanted) {
    Object.assign(this, { load, rowsWanted });
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

  // The server's page may be short, or empty, and have a next: it's filled up from those, but not
  // for ever, so that a server that looks through millions for a rare one isn't asked without end.
  async show(cursor, pagesMax = 20) {
    const rows = [];
    let at = cursor;
    let first = cursor;
    for (let page = 1; ; page += 1) {
      const answer = await this.load(at, this.rowsWanted - rows.length);
      if (rows.length === 0) first = at;
      rows.push(...answer.rows);
      if (rows.length >= this.rowsWanted || answer.next === null || page >= pagesMax) {
        Object.assign(this, { rows, next: answer.next });
        return first;
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
