// A provider of OpenID Connect: npm's oauth2-mock-server. Each line of standard input says what it says of those who log in from then on: `claims` beside
// its own, and `token`, what is done to what it signed. It answers with `ok`.
import { createHmac } from 'node:crypto';
import { createInterface } from 'node:readline';

const { OAuth2Server } = await import(process.argv[2]);
const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
await server.start(0, '127.0.0.1');
let now = {};

const base64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const changes = {
  none: (token) => `${base64({ alg: 'none' })}.${token.split('.')[1]}.`,
  hmac: (token) => {
    const signed = `${base64({ alg: 'HS256', typ: 'JWT' })}.${token.split('.')[1]}`;
    return `${signed}.${createHmac('sha256', 'a-secret-of-ours').update(signed).digest('base64url')}`;
  },
  flip: (token) => {
    const [head, body, signature] = token.split('.');
    return `${head}.${body}.${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
  },
};
server.service.on('beforeTokenSigning', (token) => Object.assign(token.payload, now.claims));
server.service.on('beforeResponse', (response) => {
  if (now.token === 'lost') delete response.body.id_token;
  else if (now.token) response.body.id_token = changes[now.token](response.body.id_token);
});
console.log(server.issuer.url);
for await (const line of createInterface({ input: process.stdin })) {
  now = JSON.parse(line);
  if (now.rotate) await server.issuer.keys.generate('ES256');
  console.log('ok');
}
process.exit(0);
