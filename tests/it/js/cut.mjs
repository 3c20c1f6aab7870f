// Follows a task with the stock JavaScript client while the host ends.
//
// Usage: cut.mjs SDK_FOLDER AGENT_URL BINDING. Prints "works" once the task does; ends with an exception if the
// stream ends as if the task had.

import { randomUUID } from "node:crypto";

import { args, sdk } from "./sdk.mjs";

const [agent, binding] = args;

const options = sdk.ClientFactoryOptions.createFrom(sdk.ClientFactoryOptions.default, {
  preferredTransports: [binding],
});
const client = await new sdk.ClientFactory(options).createFromUrl(`${agent}/`, ".well-known/agent-card.json");
const message = {
  messageId: randomUUID(),
  contextId: "",
  taskId: "",
  role: 1,
  parts: [{ content: { $case: "text", value: "1000" }, metadata: undefined, filename: "", mediaType: "" }],
  metadata: undefined,
  extensions: [],
  referenceTaskIds: [],
};
const request = { tenant: "", message, configuration: undefined, metadata: undefined };

let said = false;
let events = 0;
try {
  for await (const event of client.sendMessageStream(request)) {
    events += 1;
    if (!said && event.payload?.$case === "statusUpdate") {
      said = true;
      console.log("works");
    }
  }
} catch (error) {
  console.log(`raised after ${events} events: ${error}`);
  process.exit(said ? 0 : 1);
}
console.log(`returned after ${events} events`);
process.exit(1);
