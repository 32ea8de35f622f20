// What every view has; each overrides what it needs.

export class View {
  constructor(app, title) {
    this.app = app;
    this.title = title;
  }

  // It's shown now, or its argument (#view/argument) changed.
  enter() {}
  // A second went by: app.feed has what it brought.
  update() {}
  // And it may ask for more.
  async tick() {}
}
