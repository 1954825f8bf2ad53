// Answers operations with the published package mingo: reads JSON Lines {kind, docs, ...} and prints, for each at once,
// {result} or {error}. Dates are {"$date": text}; numbers that JSON lacks come as {"$number": text}.
import { createInterface } from "node:readline";
import * as mingo from "mingo";

const read = (name, value) =>
  value !== null && typeof value === "object" && typeof value.$date === "string"
    ? new Date(value.$date)
    : value;

function write(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value === "bigint") return Number(value);
  if (value instanceof Date) {
    const ms = value.getTime();
    return { $date: Number.isNaN(ms) ? null : value.toISOString() };
  }
  if (Array.isArray(value)) return Array.from(value, write);
  if (value instanceof RegExp) return { $regex: value.source };
  if (typeof value !== "object") return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, write(member)]));
}

const kinds = {
  find: ({ docs, filter }) => docs.map((doc) => new mingo.Query(filter).test(doc)),
  sort: ({ docs, sort, skip, limit }) => {
    const found = mingo.find(docs, {}).sort(sort).skip(skip);
    return (limit ? found.limit(limit) : found).all().map((doc) => doc._id);
  },
  project: ({ docs, filter, projection }) => mingo.find(docs, filter, projection).all(),
  update: ({ docs, filter, update, arrayFilters }) => {
    mingo.updateMany(docs, filter, update, arrayFilters ? { arrayFilters } : {});
    return docs;
  },
  aggregate: ({ docs, pipeline, others }) =>
    mingo.aggregate(docs, pipeline, { collectionResolver: (name) => others[name] ?? [] }),
};

for await (const line of createInterface({ input: process.stdin })) {
  const operation = JSON.parse(line, read);
  let answer;
  try {
    answer = { result: write(kinds[operation.kind](operation)) };
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
