// What artillery's scenario calls: when a user has done enough, and the time around a message.
'use strict';

module.exports = {
  goOn(context, done) {
    context.vars.until ??= Date.now() + context.vars.seconds * 1000;
    done(Date.now() < context.vars.until);
  },
  before(context, events, done) {
    context.vars.sent = performance.now();
    done();
  },
  after(context, events, done) {
    events.emit('histogram', 'sealpost.echo_ms', performance.now() - context.vars.sent);
    done();
  },
};
