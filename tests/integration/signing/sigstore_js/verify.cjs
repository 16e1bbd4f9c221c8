// Judge one bundle as Sigstore's own verifier for JavaScript does.
// Reads {bundle, publicKey} or {bundle, trustedRoot, subject, issuer} from standard input;
// a trustedRoot beside a publicKey demands a timestamp of its authority.
// Exit status 0: accepted; 3: refused, the reason on standard output; any other: not judged.
"use strict";

const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON, ValidationError } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { PolicyError, VerificationError, Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const REFUSALS = [ValidationError, VerificationError, PolicyError];
const NOTHING = { mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1" };

function verifierByKey(pem, trustedRoot) {
  const publicKey = createPublicKey(pem);
  const root = TrustedRoot.fromJSON(trustedRoot ?? NOTHING);
  const trust = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }));
  return new Verifier(trust, { ctlogThreshold: 0, tlogThreshold: 0, timestampThreshold: trustedRoot ? 1 : 0 });
}

function verifierByIdentity(trustedRoot) {
  const trust = toTrustMaterial(TrustedRoot.fromJSON(trustedRoot));
  return new Verifier(trust, { ctlogThreshold: 1, tlogThreshold: 1, timestampThreshold: 1 });
}

function policyOf({ subject, issuer }) {
  // Its subjectAlternativeName is a regular expression, and unanchored.
  return { subjectAlternativeName: `^${subject.replace(/[^\w]/g, "\\$&")}$`, extensions: { issuer } };
}

const asked = JSON.parse(readFileSync(0, "utf8"));
const [verifier, policy] = asked.publicKey
  ? [verifierByKey(asked.publicKey, asked.trustedRoot), undefined]
  : [verifierByIdentity(asked.trustedRoot), policyOf(asked)];

try {
  verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(asked.bundle))), policy);
} catch (error) {
  if (!REFUSALS.some((kind) => error instanceof kind)) throw error;
  process.stdout.write(`${error.code ?? error.name}: ${error.message}\n`);
  process.exitCode = 3;
}
