// Reads every address in an agent's card as JavaScript does, and the card as the stock client does.
//
// Usage: addresses.mjs SDK_FOLDER AGENT_URL GRPC. Ends with an exception if an address is not where the agent is.
// GRPC says whether there is an entry of gRPC, which is no URL but HOST:PORT, as the protocol wants it.

import assert from "node:assert/strict";

import { args, sdk } from "./sdk.mjs";

const [agent, grpc] = args;

const card = await (await fetch(agent)).json();
const entries = card.supportedInterfaces;
const isGrpc = (entry) => entry.protocolBinding === "GRPC";
assert.equal(entries.some(isGrpc), grpc === "true");

const old = card.additionalInterfaces ?? [];
const others = [...entries.filter((entry) => !isGrpc(entry)), ...old.filter((it) => it.transport !== "GRPC")];
for (const { url } of [card, ...others]) {
  assert.equal(url, agent);
  const { protocol, hostname, port } = new URL(url);
  assert.ok(["http:", "https:"].includes(protocol) && hostname && port, url);
}
for (const { url } of entries.filter(isGrpc)) {
  assert.match(url, /^[^/]+:[0-9]+$/);
  // What is parsed at all is taken for a URL of an unknown scheme.
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  assert.equal(host, "", `${url} is a URL by now: it need not be off by default`);
}

const read = await new sdk.DefaultAgentCardResolver().resolve(`${agent}/`, ".well-known/agent-card.json");
assert.equal(read.name, card.name);
assert.equal(read.supportedInterfaces.length, entries.length);
