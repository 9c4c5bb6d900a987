// What artillery's scenario calls: when a user begins and ends, the time of a message.
'use strict';

const waiting = [];

module.exports = {
  // Users who send keep artillery from starting the others, so all begin with the last one;
  // with pauses between messages not at once.
  arrive(context, events, done) {
    waiting.push(done);
    if (waiting.length === context.vars.users)
      for (const begin of waiting) setTimeout(begin, Math.random() * context.vars.pause_ms);
  },
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
