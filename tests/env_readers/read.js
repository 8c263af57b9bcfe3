// Prints what programs of npm, and Node.js itself, read in the env file that is named: {reader: {key: value}}.
const fs = require("fs");
const text = fs.readFileSync(process.argv[2], "utf8");
const expanded = (expand, parse) => require(expand).expand({ parsed: require(parse).parse(text), processEnv: {} }).parsed;
console.log(JSON.stringify({
  "node": require("util").parseEnv(text),
  "dotenv 18": require("dotenv").parse(text),
  "dotenv 16": require("dotenv-16").parse(text),
  "dotenv-expand 1000": expanded("dotenv-expand", "dotenv"),
  "dotenv-expand 12": expanded("dotenv-expand-12", "dotenv-16"),
}));
