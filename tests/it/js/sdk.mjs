// The stock JavaScript client, from the folder that the first argument names.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [, , folder, ...rest] = process.argv;
const { resolve } = createRequire(`${folder}/`);

export const args = rest;
export const sdk = await import(pathToFileURL(resolve("@a2a-js/sdk/client")));
