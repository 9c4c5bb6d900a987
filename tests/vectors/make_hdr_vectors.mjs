#!/usr/bin/env node
// Write hdr_histogram.txt with the npm package hdr-histogram-js, the library's own port. The tests
// do not need it; to write the file again, or to compare (--check):
//
//     npm install --prefix FOLDER hdr-histogram-js@3.0.1
//     node make_hdr_vectors.mjs FOLDER [--check]
//
// Each line: a name, the values with their counts, and the histogram's V2 encoding in base64.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = process.argv[2];
assert(folder !== undefined, 'usage: make_hdr_vectors.mjs FOLDER [--check]');
const here = dirname(fileURLToPath(import.meta.url));
const hdr = createRequire(join(resolve(folder), 'from-here.js'))('hdr-histogram-js');

const cases = {
  one: [[1, 1]],
  small: [[0, 3], [1, 1], [2047, 2], [2048, 1], [2049, 1], [4095, 7]],
  wide: [[5, 1], [70000, 12], [1000000, 345], [123456789, 6], [1099511627775, 1]],
  many: [[1500, 1000000], [3000000, 4294967296], [3000001, 1]],
};

const lines = Object.entries(cases).map(([name, values]) => {
  const histogram = hdr.build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 40 - 1,
    numberOfSignificantValueDigits: 3,
    autoResize: false,
  });
  for (const [value, count] of values) histogram.recordValueWithCount(value, count);
  const text = hdr.encodeIntoCompressedBase64(histogram);
  return `${name} ${values.map((pair) => pair.join(':')).join(',')} ${text}`;
});
const made = `# Written by make_hdr_vectors.mjs.\n${lines.join('\n')}\n`;
const file = join(here, 'hdr_histogram.txt');
if (process.argv[3] === '--check') {
  assert.equal(readFileSync(file, 'utf8'), made);
} else {
  writeFileSync(file, made);
}
