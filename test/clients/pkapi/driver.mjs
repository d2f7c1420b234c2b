// Asks a server that speaks PluralKit's API everything that pkapi.js can ask,
// and prints each answer as a line of JSON. Two servers that answer alike make
// it print the same. Jobs come as a list on standard input: base, token, and
// the refs to ask for.

import { readFileSync } from 'node:fs';
import * as library from 'pkapi.js';

const { PKAPI, System, Member, Group } = library;

// pairs is every a with every b.
const pairs = (as, bs) => as.flatMap((a) => bs.map((b) => [a, b]));

// each makes one argument of each value.
const each = (name, values) => values.map((v) => ({ [name]: v }));

// An object of the library, to call its own methods.
const system = (api, j) => new System(api, { id: j.systems[0] });
const members = (api, j) => j.members.map((id) => new Member(api, { id }));
const groups = (api, j) => j.groups.map((id) => new Group(api, { id }));

const everything = ['members', 'fronters', 'switches', 'groups', 'group members', 'config'];

// reads has all calls that read, and the arguments each is made with. A call of
// an object is made with [object, argument…].
const reads = {
  PKAPI: {
    getSystem: (api, j) => [...each('system', j.systems), { system: j.systems[0], fetch: everything }, {}],
    getAccount: (api, j) => each('system', j.systems),
    getSystemConfig: () => [{}],
    getSystemGuildSettings: (api, j) => each('guild', j.guilds),
    getSystemAutoproxySettings: (api, j) => each('guild', j.guilds),
    getMember: (api, j) => each('member', j.members),
    getMembers: (api, j) => [...each('system', j.systems), {}],
    getMemberGroups: (api, j) => each('member', j.members),
    getMemberGuildSettings: (api, j) => pairs(j.members, j.guilds).map(([member, guild]) => ({ member, guild })),
    getGroups: (api, j) => [...each('system', j.systems),
      ...j.systems.flatMap((system) => [{ system, raw: true }, { system, with_members: true }, { system, with_members: true, raw: true }])],
    getGroup: (api, j) => [...each('group', j.groups), ...j.groups.map((group) => ({ group, fetch_members: true }))],
    getGroupMembers: (api, j) => each('group', j.groups),
    getSwitches: (api, j) => [...each('system', j.systems),
      ...pairs(j.systems, j.before).map(([system, before]) => ({ system, before: new Date(before), limit: 3, raw: true }))],
    getSwitch: (api, j) => pairs(j.systems, j.switches).map(([system, id]) => ({ system, switch: id })),
    getFronters: (api, j) => each('system', j.systems),
    getMessage: (api, j) => each('message', j.messages),
  },
  System: {
    getMember: (api, j) => j.members.map((id) => [system(api, j), id]),
    getMembers: (api, j) => [[system(api, j)]],
    getGroups: (api, j) => [[system(api, j)], [system(api, j), undefined, true], [system(api, j), undefined, true, true]],
    getGroup: (api, j) => j.groups.map((id) => [system(api, j), id]),
    getSwitches: (api, j) => [[system(api, j)], [system(api, j), undefined, true, new Date(j.before[0]), 5]],
    getFronters: (api, j) => [[system(api, j)]],
    getConfig: (api, j) => [[system(api, j)]],
    getGuildSettings: (api, j) => j.guilds.map((id) => [system(api, j), id]),
    getAutoproxySettings: (api, j) => j.guilds.map((id) => [system(api, j), id]),
  },
  Member: {
    getGroups: (api, j) => members(api, j).map((m) => [m]),
    getGuildSettings: (api, j) => pairs(members(api, j), j.guilds),
  },
  Group: {
    getMembers: (api, j) => groups(api, j).map((g) => [g]),
  },
};

// complete checks that reads has every call that reads.
function complete() {
  for (const [name, type] of Object.entries(library)) {
    if (name === 'default' || typeof type !== 'function') continue;
    for (const call of Object.getOwnPropertyNames(type.prototype)) {
      if (call.startsWith('get') && !reads[name]?.[call]) {
        throw new Error(`the library has a call ${name}.${call} (hint: add it to reads)`);
      }
    }
  }
}

// plain is what a program sees of an answer: maps in their order, and nothing
// told from null.
function plain(v) {
  if (v === undefined) return { undefined: true };
  if (v instanceof Date) return { date: Number.isNaN(v.getTime()) ? 'invalid' : v.toISOString() };
  if (v instanceof Map) return { map: [...v].map(([k, e]) => [k, plain(e)]) };
  if (Array.isArray(v)) return v.map(plain);
  if (v === null || typeof v !== 'object') return v;
  return { [v.constructor.name]: Object.entries(v).map(([k, e]) => [k, plain(e)]) };
}

// refused is what a program can tell errors apart by.
function refused(e) {
  if (e instanceof library.APIError) return { status: e.status, code: e.code, message: e.message };
  return { class: e.constructor.name, message: e.message };
}

async function ask(api, type, call, args) {
  try {
    if (type === 'PKAPI') return { answer: plain(await api[call](args)) };
    const [object, ...rest] = args;
    return { answer: plain(await object[call](...rest)) };
  } catch (e) {
    return { error: refused(e) };
  }
}

// described are the arguments as text; an object of the library is its id.
const described = (args) => JSON.stringify(args, (k, v) => (v instanceof System || v instanceof Member || v instanceof Group ? v.id : v));

complete();
const jobs = JSON.parse(readFileSync(0, 'utf8'));
for (const [job, j] of jobs.entries()) {
  const api = new PKAPI({ base_url: j.base, token: j.token || undefined, debug: false });
  for (const [type, calls] of Object.entries(reads)) {
    for (const [call, questions] of Object.entries(calls)) {
      for (const args of questions(api, j)) {
        const text = described(args);
        console.log(JSON.stringify({ job, call: `${type}.${call}`, args: text, ...(await ask(api, type, call, args)) }));
      }
    }
  }
}
