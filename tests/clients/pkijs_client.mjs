// pkijs, on the WebCrypto of Node.js.

import { createHash, webcrypto } from "node:crypto";
import { readFileSync } from "node:fs";
import * as asn1js from "asn1js";
import * as pkijs from "pkijs";

const SHA_256 = "2.16.840.1.101.3.4.2.1";

pkijs.setEngine("node", new pkijs.CryptoEngine({ name: "node", crypto: webcrypto }));

function certificate(path) {
  const body = readFileSync(path, "utf8").match(/-----BEGIN CERTIFICATE-----([^-]+)-----/)[1];
  return pkijs.Certificate.fromBER(new Uint8Array(Buffer.from(body, "base64")).buffer);
}

function request(data) {
  const nonce = webcrypto.getRandomValues(new Uint8Array(20));
  nonce[0] = (nonce[0] & 0x3f) | 0x40; // positive, and no shorter than it looks
  const digest = new Uint8Array(createHash("sha256").update(new Uint8Array(data)).digest()).buffer;
  return new pkijs.TimeStampReq({
    version: 1,
    messageImprint: new pkijs.MessageImprint({
      hashAlgorithm: new pkijs.AlgorithmIdentifier({ algorithmId: SHA_256 }),
      hashedMessage: new asn1js.OctetString({ valueHex: digest }),
    }),
    nonce: new asn1js.Integer({ valueHex: nonce.buffer }),
    certReq: true,
  });
}

async function verifies(signed, root, data) {
  try {
    const trustedCerts = [certificate(root)];
    return await signed.verify({ signer: 0, trustedCerts, checkChain: true, data });
  } catch (error) {
    return String(error.message ?? error);
  }
}

function tampered(reply) {
  const time = Buffer.from(reply).toString("latin1").match(/\x18[^]20\d{12}/);
  const [otherTime, otherSignature] = [Buffer.from(reply), Buffer.from(reply)];
  otherTime[time.index + 15] ^= 1;
  otherSignature[otherSignature.length - 1] ^= 1;
  return { other_time: otherTime, other_signature: otherSignature };
}

async function asked(told, query) {
  const response = await fetch(told.url, {
    method: "POST",
    headers: { "Content-Type": "application/timestamp-query" },
    body: Buffer.from(query.toSchema().toBER()),
  });
  return response.arrayBuffer();
}

function signedData(reply) {
  const answer = pkijs.TimeStampResp.fromBER(reply);
  if (answer.status.status !== 0) throw new Error(`status ${answer.status.status}`);
  return new pkijs.SignedData({ schema: answer.timeStampToken.content });
}

async function client(told, data, otherData) {
  const query = request(data);
  const reply = await asked(told, query);
  const signed = signedData(reply);
  const info = pkijs.TSTInfo.fromBER(signed.encapContentInfo.eContent.getValue());
  if (!info.nonce.isEqual(query.nonce)) throw new Error("another nonce");
  const verdict = await verifies(signed, told.root, data);
  if (verdict !== true) throw new Error(`not verified: ${verdict}`);
  const other = signedData(await asked(told, request(otherData)));
  const refuses = {
    other_data: (await verifies(signed, told.root, otherData)) !== true,
    other_request: (await verifies(other, told.root, data)) !== true,
    other_root: (await verifies(signed, told.other_root, data)) !== true,
  };
  for (const [what, wrong] of Object.entries(tampered(reply))) {
    const bytes = new Uint8Array(wrong).buffer;
    refuses[what] = (await verifies(signedData(bytes), told.root, data)) !== true;
  }
  return { gen_time: info.genTime.toISOString(), refuses };
}

const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
const cases = JSON.parse(readFileSync(process.argv[2], "utf8"));
for (const told of cases.cases) {
  let line = { suite: told.suite, accepts: false, why: "" };
  try {
    const verdict = await client(told, bytes(cases.data), bytes(cases.other_data));
    line = { ...line, accepts: true, ...verdict };
  } catch (error) {
    line.why = String(error.message ?? error);
  }
  console.log(JSON.stringify(line));
}
