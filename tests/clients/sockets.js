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

const EVENTS = 'subscription { eventRecorded { event { eventType } } }';

// Follows until so many events have come, of which none may be an error.
function follow(asking, query = EVENTS) {
  const answers = [];
  const waiting = [];
  let failure = null;
  const wake = () => waiting.splice(0).forEach((resolve) => resolve());
  const end = asking.subscribe(
    { query },
    {
      next: (answer) => { answers.push(answer); wake(); },
      error: (error) => { failure = error; wake(); },
      complete: wake,
    },
  );
  return {
    end,
    async more(count) {
      const wanted = answers.length + count;
      while (answers.length < wanted) {
        if (failure !== null) throw failure;
        await new Promise((resolve) => waiting.push(resolve));
      }
      for (const answer of answers) assert.equal(answer.errors, undefined);
      return answers;
    },
  };
}

const RETRYING = { retryAttempts: 3, retryWait: async () => {}, shouldRetry: () => true };

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

  async 'follows events and the dashboard'() {
    const asking = client(TOKEN);
    const events = follow(asking);
    const [first] = await events.more(3);
    assert.equal(first.data.eventRecorded.event.eventType, 'ACTION_EXECUTED');
    const dashboard = follow(
      asking,
      'subscription { dashboardUpdated(every: 1) { summary { executions { value } } } }',
    );
    const [before, after] = await dashboard.more(2);
    const count = (answer) => answer.data.dashboardUpdated.summary.executions.value;
    assert.ok(count(after) > count(before));
    events.end();
    dashboard.end();
    await asking.dispose();
  },

  async 'goes on following after a lost connection'() {
    let socket;
    const asking = client(TOKEN, RETRYING);
    asking.on('connected', (opened) => { socket = opened; });
    const events = follow(asking);
    await events.more(2);
    const again = once(asking, 'connected');
    socket.terminate();
    await again;
    await events.more(2);
    events.end();
    await asking.dispose();
  },

  async 'stops following with the token, and goes on with a new one'() {
    let token = BRIEF_TOKEN;
    const asking = client(() => token, RETRYING);
    const closed = once(asking, 'closed');
    const events = follow(asking);
    await events.more(1);
    token = TOKEN;
    const { code, reason } = await closed;
    assert.deepEqual([code, reason], [4403, 'Your credentials have expired']);
    await events.more(2);
    events.end();
    await asking.dispose();
  },

  async 'tells users what they may not follow'() {
    const asking = client(TOKEN);
    const events = follow(asking, 'subscription { nothingOfTheKind }');
    await assert.rejects(events.more(1), (errors) => {
      assert.match(errors[0].message, /nothingOfTheKind/);
      return true;
    });
    await asking.dispose();
  },

  async 'two hundred follow at once'() {
    const asking = Array.from({ length: 200 }, () => client(TOKEN));
    const followers = asking.map((each) => follow(each));
    await Promise.all(followers.map((each) => each.more(2)));
    followers.forEach((each) => each.end());
    await Promise.all(asking.map((each) => each.dispose()));
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
