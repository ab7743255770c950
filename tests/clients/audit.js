// The audits of GraphQL over HTTP against the endpoint: every MUST, SHOULD and MAY has to pass.
import { serverAudits } from 'graphql-http';

const { ENDPOINT, TOKEN } = process.env;

const audits = serverAudits({
  url: ENDPOINT,
  fetchFn: (url, options = {}) =>
    fetch(url, { ...options, headers: { ...options.headers, authorization: `Bearer ${TOKEN}` } }),
});

const passed = { MUST: 0, SHOULD: 0, MAY: 0 };
let failed = 0;
for (const audit of audits) {
  const result = await audit.fn();
  if (result.status === 'ok') {
    passed[audit.name.split(' ')[0]] += 1;
  } else {
    failed += 1;
    console.error(`${audit.id} ${audit.name}: ${result.status}, ${result.reason}`);
  }
}
const total = audits.length - failed;
console.log(
  `graphql-http: ${total} of ${audits.length} audits pass ` +
    `(${passed.MUST} MUST, ${passed.SHOULD} SHOULD, ${passed.MAY} MAY)`,
);
process.exitCode = failed || audits.length < 61 ? 1 : 0;
