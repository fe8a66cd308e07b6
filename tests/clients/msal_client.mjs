// MSAL for Node, unmodified, signs in to the sandbox in every way the connectors do.
//
// Reads the line that `cosell sandbox --json` prints from standard input; exits with 0 when everything worked. The
// certificate authority comes from NODE_EXTRA_CA_CERTS.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createHash, randomBytes } from "node:crypto";

// The packages lie beside the directory it is run in, not beside this file.
const require = createRequire(`${process.cwd()}/`);
const { ConfidentialClientApplication, PublicClientApplication } = require("@azure/msal-node");

const PARTNER_CENTER = "https://api.partner.microsoft.com/.default";
const addresses = JSON.parse(readFileSync(0, "utf8"));
const authority = `${addresses.entra}/${addresses.tenant}`;
const dataverse = `${addresses.dataverse}/.default`;
// The authority is none of Microsoft's: it is made known instead of being looked up.
const auth = { clientId: addresses.client_id, authority, knownAuthorities: [new URL(addresses.entra).host] };

async function call(url, token) {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  assert.equal(response.status, 200, await response.clone().text());
}

const whoAmI = `${addresses.dataverse}/api/data/v9.2/WhoAmI`;
const referrals = `${addresses.partner_center}/referrals`;

// An application with its secret; the second time the answer comes from the library's cache.
const app = new ConfidentialClientApplication({ auth: { ...auth, clientSecret: addresses.client_secret } });
const first = await app.acquireTokenByClientCredential({ scopes: [dataverse] });
await call(whoAmI, first.accessToken);
const second = await app.acquireTokenByClientCredential({ scopes: [dataverse] });
assert.equal(second.fromCache, true);

const wrong = new ConfidentialClientApplication({ auth: { ...auth, clientSecret: "wrong" } });
await assert.rejects(wrong.acquireTokenByClientCredential({ scopes: [dataverse] }), { errorCode: "invalid_client" });

// The same application with a certificate.
const made = await (await fetch(`${addresses.control}/entra/certificates`, { method: "POST" })).json();
const clientCertificate = { thumbprintSha256: made.thumbprint_sha256, privateKey: made.private_key_pem };
const signed = new ConfidentialClientApplication({ auth: { ...auth, clientCertificate } });
await call(whoAmI, (await signed.acquireTokenByClientCredential({ scopes: [dataverse] })).accessToken);

// A person on another device, and then silently: by the cache, and by the refresh token.
const person = new PublicClientApplication({ auth });
let shown;
const scopes = [PARTNER_CENTER];
const signedIn = await person.acquireTokenByDeviceCode({ scopes, deviceCodeCallback: (code) => (shown = code) });
assert.ok(shown.userCode && shown.verificationUri);
await call(referrals, signedIn.accessToken);
assert.equal(signedIn.account.username, "cosell@fabrikam.example");
const account = signedIn.account;
const cached = await person.acquireTokenSilent({ account, scopes });
assert.equal(cached.accessToken, signedIn.accessToken);
const refreshed = await person.acquireTokenSilent({ account, scopes, forceRefresh: true });
assert.notEqual(refreshed.accessToken, signedIn.accessToken);
await call(referrals, refreshed.accessToken);
await call(whoAmI, (await person.acquireTokenSilent({ account, scopes: [dataverse] })).accessToken);

// The refresh token that the sandbox hands out.
const migrated = await app.acquireTokenByRefreshToken({ refreshToken: addresses.refresh_token, scopes });
await call(referrals, migrated.accessToken);

// A person in a browser, with a proof key.
const redirectUri = "http://localhost:8400/callback";
const verifier = randomBytes(32).toString("base64url");
const codeChallenge = createHash("sha256").update(verifier).digest("base64url");
const url = await app.getAuthCodeUrl({ scopes, redirectUri, codeChallenge, codeChallengeMethod: "S256" });
const answer = await fetch(url, { redirect: "manual" });
assert.equal(answer.status, 302);
const code = new URL(answer.headers.get("location")).searchParams.get("code");
await assert.rejects(app.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: "wrong" }), {
  errorCode: "invalid_grant",
});
const browsed = await app.acquireTokenByCode({ scopes, redirectUri, code, codeVerifier: verifier });
await call(referrals, browsed.accessToken);

console.log("MSAL for Node is served");
