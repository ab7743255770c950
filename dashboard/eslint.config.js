// The page's TypeScript; and the SDL and the operations beside the rules of graphql-eslint and of
// Relay's connections. Runs in the folder above, which holds both: npm run lint.

import graphql from "@graphql-eslint/eslint-plugin";
import reactHooks from "eslint-plugin-react-hooks";
import typescript from "typescript-eslint";

const rules = (name) => graphql.configs[`flat/${name}`].rules;

const shared = {
  plugins: { "@graphql-eslint": graphql },
  languageOptions: {
    parser: graphql.parser,
    parserOptions: {
      graphQLConfig: {
        schema: "graphql_schema/schema.graphql",
        documents: "graphql_schema/operations/*.graphql",
      },
    },
  },
};

export default typescript.config(
  { ignores: ["dashboard/src/generated", "dashboard/scripts", "dashboard/*.js"] },
  {
    files: ["dashboard/src/**/*.{ts,tsx}", "dashboard/vite.config.ts"],
    extends: [...typescript.configs.strictTypeChecked, ...typescript.configs.stylisticTypeChecked],
    plugins: { "react-hooks": reactHooks },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      ...reactHooks.configs.recommended.rules,
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }] },
      ],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  {
    ...shared,
    files: ["graphql_schema/schema.graphql"],
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
    files: ["graphql_schema/operations/*.graphql"],
    rules: {
      ...rules("operations-recommended"),
      // Each file is an operation that works by itself.
      "@graphql-eslint/unique-fragment-name": "off",
    },
  },
);
