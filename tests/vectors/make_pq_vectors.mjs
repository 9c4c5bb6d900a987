#!/usr/bin/env node
// Write ml_kem_768.txt and ml_dsa_65.txt with the npm package @noble/post-quantum, which shares no
// code with OpenSSL. The tests do not need it; to write the files again, or to compare (--check):
//
//     npm install --prefix FOLDER @noble/post-quantum@0.7.1
//     node make_pq_vectors.mjs FOLDER [--check]
//
// Before it writes anything it proves the package against the accumulated values that C2SP (CCTV)
// and Go's crypto/mlkem publish.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = process.argv[2];
assert(folder !== undefined, 'usage: make_pq_vectors.mjs FOLDER [--check]');
const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(resolve(folder), 'from-here.js'));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { ml_kem768: kem } = await load('@noble/post-quantum/ml-kem.js');
const { ml_dsa65: dsa } = await load('@noble/post-quantum/ml-dsa.js');
const { sha512 } = await load('@noble/hashes/sha2.js');
const { shake128 } = await load('@noble/hashes/sha3.js');

const PREFIX = 'sealpost test vector: ';
const hash = (name, bytes) => new Uint8Array(createHash(name).update(bytes).digest());
const secret = (name, bytes = 32) => hash(bytes === 64 ? 'sha512' : 'sha256', PREFIX + name);
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const fill = (name, bytes) => shake128(Buffer.from(PREFIX + name), { dkLen: bytes });

function record(comment, fields) {
  const line = ([name, bytes]) => `${name} =${bytes.length ? ' ' : ''}${hex(bytes)}`;
  return `# ${comment}\n${Object.entries(fields).map(line).join('\n')}\n\n`;
}

function xored(bytes, offset, mask) {
  const out = Uint8Array.from(bytes);
  out[offset] ^= mask;
  return out;
}

const u16 = (value) => Uint8Array.of(value >> 8, value & 255);

// ---- proof of the package -----------------------------------------------------------------------

function prove() {
  let stream = shake128.create(), sum = shake128.create();
  for (let i = 0; i < 100; i++) {
    const { publicKey, secretKey } = kem.keygen(stream.xof(64));
    const { cipherText, sharedSecret } = kem.encapsulate(publicKey, stream.xof(32));
    assert.deepEqual(kem.decapsulate(cipherText, secretKey), sharedSecret);
    const rejected = kem.decapsulate(stream.xof(1088), secretKey);
    for (const part of [publicKey, cipherText, sharedSecret, rejected]) sum.update(part);
  }
  assert.equal(hex(sum.xof(32)), '1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415');

  stream = shake128.create();
  sum = shake128.create();
  for (let i = 0; i < 100; i++) {
    const { publicKey, secretKey } = dsa.keygen(stream.xof(32));
    sum.update(publicKey).update(dsa.sign(new Uint8Array(), secretKey, { extraEntropy: false }));
  }
  assert.equal(hex(sum.xof(32)), '8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199');
}

// ---- ML-KEM-768 ---------------------------------------------------------------------------------

function kemVectors() {
  let text = '# ML-KEM-768, made by make_pq_vectors.mjs. `flip` (offset, XOR) makes another\n' +
             '# ciphertext, which decapsulates to `rejected`.\n\n';
  const flips = [[0, 1], [1087, 0x80], [959, 0x10], [960, 1], [544, 0xff]];
  for (let i = 0; i < 20; i++) {
    const seed = secret(`ml-kem ${i} seed`, 64), m = secret(`ml-kem ${i} m`);
    const { publicKey, secretKey } = kem.keygen(seed);
    const { cipherText, sharedSecret } = kem.encapsulate(publicKey, m);
    assert.deepEqual(kem.decapsulate(cipherText, secretKey), sharedSecret);
    const [offset, mask] = flips[i % flips.length];
    text += record(`key ${i}`, {
      seed,
      public_sha256: hash('sha256', publicKey),
      m,
      ciphertext: cipherText,
      secret: sharedSecret,
      flip: [...u16(offset), mask],
      rejected: kem.decapsulate(xored(cipherText, offset, mask), secretKey),
    });
  }
  return text;
}

// ---- ML-DSA-65 ----------------------------------------------------------------------------------

// A signature is c~ (48) ‖ z (5 × 640) ‖ hint (55 positions, then where each of the 6 rows ends).
const Z = 48, HINT = 48 + 5 * 640, ENDS = HINT + 55;

function firstRowOfTwo(signature) {
  for (let row = 0; row < 6; row++) {
    const from = row === 0 ? 0 : signature[ENDS + row - 1];
    if (signature[ENDS + row] - from >= 2) return from;
  }
  throw new Error('no row has two hints');
}

// What a verifier must tell apart: each a signature that differs in one rule only.
function spoilt(signature) {
  const edit = (change) => {
    const out = Uint8Array.from(signature);
    change(out);
    return out;
  };
  const pair = HINT + firstRowOfTwo(signature), used = signature[ENDS + 5];
  assert(used < 55);
  return {
    'first bit of c~': xored(signature, 0, 1),
    'last bit of c~': xored(signature, 47, 0x80),
    'first bit of z': xored(signature, Z, 1),
    'last bit of z': xored(signature, HINT - 1, 0x80),
    'a coefficient of z at its bound': edit((s) => s.fill(0, Z, Z + 5)),
    'two hints in the other order': edit((s) => ([s[pair], s[pair + 1]] = [s[pair + 1], s[pair]])),
    'a hint twice': edit((s) => (s[pair + 1] = s[pair])),
    'a hint left out': edit((s) => {
      s.copyWithin(HINT + used - 1, HINT + used, ENDS);
      s[ENDS + 5] = used - 1;
    }),
    'padding after the hints is not zero': xored(signature, HINT + used, 1),
    'more hints than there is room for': edit((s) => (s[ENDS + 5] = 56)),
    'rows of hints that end before they begin': edit((s) => (s[ENDS + 1] = s[ENDS] - 1)),
    'all zero': new Uint8Array(3309),
  };
}

function dsaVectors() {
  let text = '# ML-DSA-65, made by make_pq_vectors.mjs: one key. Signatures with an empty context\n' +
             '# unless said; valid = 01 is to be accepted, 00 to be refused.\n\n';
  const seed = secret('ml-dsa seed');
  const { publicKey, secretKey } = dsa.keygen(seed);
  const add = (comment, message, signature, expected) => {
    let valid = false;
    try {
      valid = dsa.verify(signature, message, publicKey);
    } catch {} // the package throws for what does not decode
    assert.equal(valid, expected, comment);
    text += record(comment, { seed, public_sha256: hash('sha256', publicKey), message, signature,
                              valid: [Number(valid)] });
  };
  const deterministic = { extraEntropy: false };
  for (const bytes of [0, 1, 33, 136, 1185, 2112]) {
    const message = fill(`ml-dsa message ${bytes}`, bytes);
    add(`message of ${bytes} bytes`, message, dsa.sign(message, secretKey, deterministic), true);
  }
  const message = fill('ml-dsa message', 33);
  add('hedged', message, dsa.sign(message, secretKey, { extraEntropy: secret('ml-dsa rnd') }), true);

  const signature = dsa.sign(message, secretKey, deterministic);
  for (const [comment, bytes] of Object.entries(spoilt(signature)))
    add(comment, message, bytes, false);
  add('another message', xored(message, 32, 1), signature, false);
  add('a message longer by a zero', Uint8Array.of(...message, 0), signature, false);
  add('a context that is not empty', message,
      dsa.sign(message, secretKey, { ...deterministic, context: Uint8Array.of(0) }), false);
  add('the internal interface', message, dsa.internal.sign(message, secretKey, deterministic), false);
  add('HashML-DSA', message, dsa.prehash(sha512).sign(message, secretKey, deterministic), false);
  const other = dsa.keygen(secret('ml-dsa other'));
  add('another key', message, dsa.sign(message, other.secretKey, deterministic), false);
  return text;
}

prove();
for (const [name, text] of [['ml_kem_768.txt', kemVectors()], ['ml_dsa_65.txt', dsaVectors()]]) {
  const path = join(here, name);
  if (process.argv[3] === '--check') assert.equal(readFileSync(path, 'utf8'), text, name);
  else writeFileSync(path, text);
}
