#!/usr/bin/env node
// Write pqxdh.txt: PQXDH and hybrid handshakes, sessions and messages from fixed keys, an
// independent recomputation of docs/PROTOCOL.md sections 2, 5 and 6 with the npm packages @noble/*,
// which share no code with OpenSSL or libsodium. The tests do not need it; to write the file again,
// or to compare (--check):
//
//     npm install --prefix FOLDER @noble/curves@2.4.0 @noble/post-quantum@0.7.1 @noble/hashes@2.4.0 \
//       @noble/ciphers@2.4.0
//     node make_pqxdh_vectors.mjs FOLDER [--check]
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = process.argv[2];
const output = join(dirname(fileURLToPath(import.meta.url)), 'pqxdh.txt');
const require = createRequire(join(resolve(folder), 'from-here.js'));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { ed25519, x25519 } = await load('@noble/curves/ed25519.js');
const { ml_kem768 } = await load('@noble/post-quantum/ml-kem.js');
const { ml_dsa65 } = await load('@noble/post-quantum/ml-dsa.js');
const { sha256, sha512 } = await load('@noble/hashes/sha2.js');
const { hkdf } = await load('@noble/hashes/hkdf.js');
const { hmac } = await load('@noble/hashes/hmac.js');
const { gcm } = await load('@noble/ciphers/aes.js');

const X3DH = 1, PQXDH = 2;
const HYBRID = 2, RATCHET = 4;

const ascii = (text) => new TextEncoder().encode(text);
const join_bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const u32 = (value) => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
const u64 = (value) => join_bytes(u32(0), u32(value));
const hex = (bytes) => Buffer.from(bytes).toString('hex');
const secret = (name) => sha256(ascii(`sealpost test vector: ${name}`));
const secret64 = (name) => sha512(ascii(`sealpost test vector: ${name}`));
const derive = (ikm, info, len) => hkdf(sha256, ikm, new Uint8Array(32), info, len);
const nonce = (counter) => join_bytes(new Uint8Array(4), u64(counter));
const seal = (key, counter, ad, text) => gcm(key, nonce(counter), ad).encrypt(text);

function cut(bytes, ...lengths) {
  let at = 0;
  const parts = lengths.map((len) => bytes.slice(at, (at += len)));
  assert.equal(at, bytes.length);
  return parts;
}

// ---- parties ------------------------------------------------------------------------------------

function makeIdentity(name, isHybrid) {
  const seed = secret(`${name} Ed25519`), mlDsaSeed = secret(`${name} ML-DSA-65`);
  const mlDsa = isHybrid ? ml_dsa65.keygen(mlDsaSeed) : null;
  const publicKey = ed25519.getPublicKey(seed);
  const both = join_bytes(publicKey, mlDsa ? mlDsa.publicKey : []);
  const identity = {
    seed,
    mlDsaSeed: isHybrid ? mlDsaSeed : [],
    publicKey,
    both,
    x25519: ed25519.utils.toMontgomery(publicKey),
    x25519Secret: ed25519.utils.toMontgomerySecret(seed),
    mailbox: sha256(join_bytes(ascii('sealpost.v1 mailbox'), both)).slice(0, 16),
    sign: (message) => ed25519.sign(message, seed),
    // Deterministic, so that the file can be made again.
    signPq: (message) => (mlDsa ? ml_dsa65.sign(message, mlDsa.secretKey, { extraEntropy: false }) : []),
  };
  assert.deepEqual(x25519.getPublicKey(identity.x25519Secret), identity.x25519);
  return identity;
}

const encode = (key) => join_bytes([0x05], key);
const encodeKem = (key) => join_bytes([0x0c], key);

// ---- handshake ----------------------------------------------------------------------------------

function shakeHands(name, suite, hasOneTime, a, b) {
  const spkSecret = secret(`${name} SPK_B`), opkSecret = secret(`${name} OPK_B`), ekSecret = secret(`${name} EK_A`);
  const [spk, opk, ek] = [spkSecret, opkSecret, ekSecret].map((s) => x25519.getPublicKey(s));
  const kemSeed = secret64(`${name} PQPK_B`), kemRandomness = secret(`${name} CT`);
  const kem = ml_kem768.keygen(kemSeed);
  const { cipherText, sharedSecret } = ml_kem768.encapsulate(kem.publicKey, kemRandomness);
  assert.deepEqual(ml_kem768.decapsulate(cipherText, kem.secretKey), sharedSecret);
  const isPq = suite === PQXDH, ss = isPq ? sharedSecret : [];

  const dh1 = x25519.getSharedSecret(a.x25519Secret, spk);
  const dh2 = x25519.getSharedSecret(ekSecret, b.x25519);
  const dh3 = x25519.getSharedSecret(ekSecret, spk);
  const dh4 = hasOneTime ? x25519.getSharedSecret(ekSecret, opk) : [];
  assert.deepEqual(dh1, x25519.getSharedSecret(spkSecret, a.x25519));
  assert.deepEqual(dh2, x25519.getSharedSecret(b.x25519Secret, ek));
  const info = isPq ? 'sealpost.v1_CURVE25519_SHA-256_ML-KEM-768' : 'sealpost.v1 x3dh';
  return {
    suite, hasOneTime, isPq, spkSecret, spk, opkSecret, opk, ekSecret, ek, kemSeed, kemRandomness,
    kemKey: kem.publicKey,
    cipherText,
    sk: derive(join_bytes(new Uint8Array(32).fill(0xff), dh1, dh2, dh3, dh4, ss), ascii(info), 32),
    headerKey: derive(join_bytes(dh3, ss), ascii('sealpost.v1 header'), 32),
    ad: join_bytes(encode(a.x25519), encode(b.x25519), isPq ? encodeKem(kem.publicKey) : []),
    spkId: 0x01020304,
    opkId: hasOneTime ? 0xa1b2c3d4 : 0,
    kemId: 0x0badcafe,
  };
}

// ---- messages -----------------------------------------------------------------------------------

const messageAd = (from, to, kind, counter) => join_bytes(from.mailbox, to.mailbox, [kind], u64(counter));

function initialMessage(h, a, b, flags, key, text) {
  const clear = join_bytes([h.suite, flags | (h.hasOneTime ? 1 : 0), 0, 0], u32(h.spkId), u32(h.opkId), h.ek,
    h.isPq ? join_bytes(u32(h.kemId), h.cipherText) : []);
  const transcript = join_bytes(ascii('sealpost.v1 transcript'), clear, h.ad, a.mailbox, b.mailbox);
  const identity = join_bytes(a.both, flags & HYBRID ? join_bytes(a.sign(transcript), a.signPq(transcript)) : []);
  const front = join_bytes(clear, seal(h.headerKey, 0, clear, identity));
  return join_bytes(front, seal(key, 0, join_bytes(front, messageAd(a, b, 1, 0)), text));
}

function sessionMessage(key, id, from, to, counter, text) {
  return join_bytes(id, u64(counter), seal(key, counter, messageAd(from, to, 2, counter), text));
}

// ---- the file -----------------------------------------------------------------------------------

function record(name, suite, hasOneTime, isHybrid) {
  const a = makeIdentity(`${name} A`, isHybrid), b = makeIdentity(`${name} B`, isHybrid);
  const h = shakeHands(name, suite, hasOneTime, a, b);
  const keys = derive(h.sk, join_bytes(ascii('sealpost.v1 session'), h.ad), 104);
  const [keyAb, answerSecret, idAb, rootAb] = cut(keys, 32, 32, 8, 32);
  const idBa = secret(`${name} id B->A`).slice(0, 8);
  const answerOf = (from) => derive(from, join_bytes(ascii('sealpost.v1 answer'), idBa), 64);
  const [keyBa] = cut(answerOf(answerSecret), 32, 32);
  const next = derive(rootAb, ascii('sealpost.v1 rekey'), 72);
  const [nextKey, nextId] = cut(next, 32, 8, 32);
  const chains = derive(h.sk, join_bytes(ascii('sealpost.v1 ratchet'), h.ad), 72);
  const [chainAb, ratchetAnswerSecret, ratchetIdAb] = cut(chains, 32, 32, 8);
  const [chainBa] = cut(answerOf(ratchetAnswerSecret), 32, 32);
  const step = (chain, what) => hmac(sha256, chain, Uint8Array.of(what));
  const flags = isHybrid ? HYBRID : 0;
  const hello = ascii('the first words'), text = ascii('a later message of A'), reply = ascii('');
  const fields = {
    suite: [suite],
    identity_seed_a: a.seed, identity_seed_b: b.seed,
    ml_dsa_seed_a: a.mlDsaSeed, ml_dsa_seed_b: b.mlDsaSeed,
    identity_a: a.publicKey, identity_b: b.publicKey, mailbox_a: a.mailbox, mailbox_b: b.mailbox,
    signed_prekey_secret: h.spkSecret, signed_prekey: h.spk, signed_prekey_id: u32(h.spkId),
    signature: b.sign(encode(h.spk)), ml_dsa_signature: b.signPq(encode(h.spk)),
    one_time_prekey_secret: hasOneTime ? h.opkSecret : [], one_time_prekey: hasOneTime ? h.opk : [],
    one_time_prekey_id: u32(h.opkId),
    kem_seed: h.isPq ? h.kemSeed : [], kem_prekey_id: u32(h.isPq ? h.kemId : 0),
    kem_signature: h.isPq ? b.sign(encodeKem(h.kemKey)) : [],
    kem_ml_dsa_signature: h.isPq ? b.signPq(encodeKem(h.kemKey)) : [],
    ephemeral_secret: h.ekSecret, ephemeral: h.ek,
    kem_randomness: h.isPq ? h.kemRandomness : [], kem_ciphertext: h.isPq ? h.cipherText : [],
    sk: h.sk, header_key: h.headerKey, ad: h.ad, session_keys: keys, ratchet_keys: chains,
    id_ba: idBa,
    initial_text: hello,
    initial: initialMessage(h, a, b, flags, keyAb, hello),
    initial_ratchet: initialMessage(h, a, b, flags | RATCHET, step(chainAb, 1), hello),
    session_text: text,
    session: sessionMessage(keyAb, idAb, a, b, 1, text),
    session_next_epoch: sessionMessage(nextKey, nextId, a, b, 0, text),
    session_ratchet: sessionMessage(step(step(chainAb, 2), 1), ratchetIdAb, a, b, 1, text),
    reply_text: reply,
    reply: sessionMessage(keyBa, idBa, b, a, 0, reply),
    reply_ratchet: sessionMessage(step(chainBa, 1), idBa, b, a, 0, reply),
  };
  const lines = Object.entries(fields).map(([key, bytes]) => `${key} = ${hex(bytes)}`.trimEnd());
  return `# ${name}\n${lines.join('\n')}\n`;
}

const text = [
  '# PQXDH and hybrid handshakes from fixed keys. Written by make_pqxdh_vectors.mjs.\n',
  record('PQXDH with a one-time prekey', PQXDH, true, false),
  record('PQXDH without a one-time prekey', PQXDH, false, false),
  record('hybrid PQXDH with a one-time prekey', PQXDH, true, true),
  record('hybrid PQXDH without a one-time prekey', PQXDH, false, true),
  record('hybrid X3DH with a one-time prekey', X3DH, true, true),
].join('\n');
if (process.argv[3] === '--check') assert.equal(readFileSync(output, 'utf8'), text);
else writeFileSync(output, text);
