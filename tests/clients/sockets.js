// graphql-ws, the client of most frontends: queries, denials, reconnecting, and a token's end.
import assert from 'node:assert/strict';

import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { SOCKET, TOKEN, BRIEF_TOKEN } = process.env;

function client(token, options = {}) {
  return createClient({
    url: SOCKET,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ Authorization: `Bearer ${typeof token === 'string' ? token : token()}` }),
    retryAttempts: 0,
    ...options,
  });
}

async function ask(asking, query = '{ __typename }') {
  const answers = [];
  for await (const answer of asking.iterate({ query })) answers.push(answer);
  return answers;
}

function once(asking, event) {
  return new Promise((resolve) => {
    const off = asking.on(event, (value) => {
      off();
      resolve(value);
    });
  });
}

const checks = {
  async 'answers queries'() {
    const asking = client(TOKEN);
    assert.deepEqual(await ask(asking), [{ data: { __typename: 'Query' } }]);
    const many = await Promise.all(Array.from({ length: 15 }, () => ask(asking)));
    assert.equal(many.length, 15);
    await asking.dispose();
  },

  async 'tells errors of an operation'() {
    const asking = client(TOKEN);
    await assert.rejects(ask(asking, '{ nope }'), (errors) => {
      assert.match(errors[0].message, /nope/);
      return true;
    });
    await asking.dispose();
  },

  async 'lets nobody in without credentials'() {
    const asking = client('nobody');
    const closed = once(asking, 'closed');
    await assert.rejects(ask(asking));
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [4403, 'Forbidden']);
    await asking.dispose();
  },

  async 'takes the client back that has lost its connection'() {
    let socket;
    let connections = 0;
    const asking = client(TOKEN, {
      lazy: false,
      retryAttempts: 3,
      retryWait: async () => {},
      shouldRetry: () => true,
    });
    asking.on('connected', (opened) => {
      socket = opened;
      connections += 1;
    });
    await once(asking, 'connected');
    const again = once(asking, 'connected');
    socket.terminate();
    await again;
    assert.deepEqual(await ask(asking), [{ data: { __typename: 'Query' } }]);
    assert.equal(connections, 2);
    await asking.dispose();
  },

  async 'ends with the token, and comes back with a new one'() {
    let token = BRIEF_TOKEN;
    const asking = client(() => token, {
      lazy: false,
      retryAttempts: 3,
      retryWait: async () => {},
      shouldRetry: () => true,
    });
    const closed = once(asking, 'closed');
    await once(asking, 'connected');
    assert.deepEqual(await ask(asking), [{ data: { __typename: 'Query' } }]);
    token = TOKEN;
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [4403, 'Your credentials have expired']);
    assert.deepEqual(await ask(asking), [{ data: { __typename: 'Query' } }]);
    await asking.dispose();
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    console.log(`graphql-ws: ${name}`);
  } catch (error) {
    console.error(`graphql-ws: FAILED: ${name}:`, error);
    process.exitCode = 1;
  }
}
