// The benchmark's durable steps, as a Restate service. `service.cjs PORT`.

// The SDK needs this from Node.js 22; nothing else is missing in 20.
Promise.withResolvers ??= function withResolvers() {
  const all = {};
  all.promise = new this((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
};

const http2 = require("node:http2");
const restate = require("@restatedev/restate-sdk");

const durable = restate.service({
  name: "durable",
  handlers: {
    // Each step waits until the server has stored its result.
    steps: async (ctx, { steps }) => {
      let sum = 0;
      for (let step = 1; step <= steps; step += 1) {
        sum += await ctx.run(`step ${step}`, () => step);
      }
      return { steps, sum };
    },
    echo: async (_ctx, input) => input,
  },
});

const handler = restate.createEndpointHandler({ services: [durable] });
http2.createServer(handler).listen(Number(process.argv[2]), "127.0.0.1");
