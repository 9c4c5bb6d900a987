// A message of 256 bytes. loadtest parses every answer as JSON, so it is a JSON string.
const message = JSON.stringify('x'.repeat(254));

export default function send(options, params, client) {
  client().write(message);
}
