// A worker on what every JavaScript runtime has: `fetch`, streams, `setTimeout`, `crypto`. It knows nothing
// of the host. The scenes are told in ../../guests/stock-rust/src/lib.rs.

import { put } from 'taskyard:worker/artifacts@0.2.1';

async function get(url) {
  const response = await fetch(url);
  return response.text();
}

async function post(url, body) {
  const response = await fetch(url, { method: 'POST', body });
  return response.text();
}

function after(millis, value) {
  return new Promise((resolve) => setTimeout(() => resolve(value), millis));
}

const scenes = {
  async sequence(url) {
    const one = await get(`${url}/one`);
    const two = await post(`${url}/two`, new Uint8Array(200_000).fill(120));
    const three = await get(`${url}/three`);
    return [one, two, three].join('\n');
  },

  async parallel(url) {
    const seen = [];
    const numbers = [1, 2, 3, 4];
    await Promise.all(numbers.map(async (number) => seen.push(await get(`${url}/parallel/${number}`))));
    return seen.join('\n');
  },

  async race(url) {
    return Promise.race([get(`${url}/slow`), after(12, 'timer')]);
  },

  async stream(url) {
    const response = await fetch(`${url}/events`, { headers: { accept: 'text/event-stream' } });
    const reader = response.body.getReader();
    const seen = [];
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        seen.push(JSON.stringify(new TextDecoder().decode(value)));
      }
    } catch (error) {
      seen.push(`broken off: ${error}`);
    }
    return seen.join('\n');
  },

  async sleep() {
    const began = performance.now();
    await after(30);
    const first = Math.floor((performance.now() - began) / 10);
    await after(20);
    const both = Math.floor((performance.now() - began) / 10);
    return `${first} ${both}`;
  },

  async random() {
    const numbers = crypto.getRandomValues(new Uint32Array(2));
    return `${numbers} ${Math.random()} ${crypto.randomUUID()} ${Date.now()}`;
  },

  async refused(url) {
    try {
      return await get(`${url}/refused`);
    } catch (error) {
      return `error: ${error}`;
    }
  },
};

async function play(scene, url) {
  const seen = await scenes[scene](url);
  const spec = { id: scene, name: undefined, description: undefined, metadata: undefined };
  const part = { body: { tag: 'text', val: seen } };
  put(spec, [part]);
}

export const handler = {
  describe() {
    const skill = (name) => ({
      id: name,
      name,
      description: `Plays the scene \`${name}\`.`,
      tags: [],
      examples: [],
      inputModes: [],
      outputModes: [],
    });
    return {
      name: 'stock-js',
      version: '0.1.0',
      description: 'Uses what every JavaScript runtime has.',
      skills: [...Object.keys(scenes), 'tour'].map(skill),
      inputModes: [],
      outputModes: [],
    };
  },

  async run(input) {
    const [scene, url] = input.parts[0].body.val.split(' ');
    for (const name of scene === 'tour' ? Object.keys(scenes) : [scene]) {
      await play(name, url);
    }
    return { tag: 'completed', val: [] };
  },
};
