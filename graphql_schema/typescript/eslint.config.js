// The SDL and the operations beside the rules of graphql-eslint and of Relay's connections.
// Run in the folder above: eslint --config typescript/eslint.config.js schema.graphql operations

import graphql from "@graphql-eslint/eslint-plugin";

const rules = (name) => graphql.configs[`flat/${name}`].rules;

const shared = {
  plugins: { "@graphql-eslint": graphql },
  languageOptions: {
    parser: graphql.parser,
    parserOptions: {
      graphQLConfig: { schema: "schema.graphql", documents: "operations/*.graphql" },
    },
  },
};

export default [
  {
    ...shared,
    files: ["schema.graphql"],
    rules: {
      ...rules("schema-recommended"),
      ...rules("schema-relay"),
      "@graphql-eslint/require-description": [
        "error",
        { types: true, FieldDefinition: true, InputValueDefinition: true, rootField: true },
      ],
      // Answers are figures of a range, not objects with an identity that a client could refetch.
      "@graphql-eslint/strict-id-in-types": "off",
      // Lists are read forwards; which page of a conversation's events, that field itself is told.
      "@graphql-eslint/relay-arguments": "off",
      // An event's type is `eventType` wherever it is stored and exported.
      "@graphql-eslint/no-typename-prefix": "off",
      "@graphql-eslint/relay-edge-types": [
        "error",
        { withEdgeSuffix: true, shouldImplementNode: false, listTypeCanWrapOnlyEdgeType: false },
      ],
    },
  },
  {
    ...shared,
    files: ["operations/*.graphql"],
    rules: {
      ...rules("operations-recommended"),
      // Each file is an operation that works by itself.
      "@graphql-eslint/unique-fragment-name": "off",
    },
  },
];
