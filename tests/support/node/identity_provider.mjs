// An OpenID Connect provider on 127.0.0.1, whose login form takes any e-mail address and any password.
// Prints its URL: node identity_provider.mjs ORIGIN-OF-THE-APPLICATION AUDIENCE TOKEN-LIFE-IN-SECONDS
// `POST /end-sessions` makes it refuse all refresh tokens that it has issued.

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";

import { Provider } from "oidc-provider";

const [application, audience, life] = process.argv.slice(2);
const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const isVerified = (address) => !address.startsWith("unverified");

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const url = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(url, {
    clients: [
      {
        client_id: "web",
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        redirect_uris: [`${application}/signed-in`],
        post_logout_redirect_uris: [`${application}/sign-in`],
      },
    ],
    clientBasedCORS: (_context, origin) => origin === application,
    cookies: { keys: ["a key for the cookies of the tests"] },
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "r1", alg: "RS256", use: "sig" }] },
    scopes: ["openid", "offline_access", "email", "read", "write"],
    conformIdTokenClaims: false, // the address is in the ID token, as with most providers
    claims: { openid: ["sub"], email: ["email", "email_verified"] },
    findAccount: (_context, address) => ({
      accountId: address,
      claims: () => ({ sub: address, email: address, email_verified: isVerified(address) }),
    }),
    extraTokenClaims: (_context, { accountId }) => ({ email: accountId, email_verified: isVerified(accountId) }),
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    features: {
      devInteractions: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => audience,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: "read write",
          audience,
          accessTokenFormat: "jwt",
          accessTokenTTL: Number(life),
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
  const grants = new Set();
  provider.on("grant.success", ({ oidc }) => grants.add(oidc.entities.Grant.jti));
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    if (request.url !== "/end-sessions") return answer(request, response);
    for (const id of grants) await (await provider.Grant.find(id))?.destroy();
    response.end();
  });
  console.log(url);
});
