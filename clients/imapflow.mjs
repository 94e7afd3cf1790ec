// What a web mailer does over ImapFlow; run by test_imapflow.py.
import assert from "node:assert/strict";
import { ImapFlow } from "imapflow";

const [port, user, pass] = process.argv.slice(2);
const client = new ImapFlow({
    host: "127.0.0.1", port: Number(port), secure: true, auth: { user, pass },
    tls: { rejectUnauthorized: false }, logger: false, qresync: true,
});
await client.connect();
const roles = (await client.list()).map((mailbox) => mailbox.specialUse).filter(Boolean);
for (const role of ["\\Sent", "\\Drafts", "\\Trash", "\\Junk"]) assert.ok(roles.includes(role), role);

const lock = await client.getMailboxLock("INBOX");
assert.equal(client.mailbox.exists, 7);
assert.ok(client.mailbox.highestModseq > 0n && client.mailbox.mailboxId);
const third = await client.fetchOne("3", { uid: true, envelope: true, bodyStructure: true, flags: true,
    internalDate: true, size: true, threadId: true, source: true });
assert.equal(third.envelope.subject, "Message number 3");
assert.equal(third.bodyStructure.type, "multipart/mixed");
assert.equal(third.source.length, third.size);
assert.ok(third.emailId && third.threadId);
const { content } = await client.download("3", "2");
let bytes = 0;
for await (const chunk of content) bytes += chunk.length;
assert.equal(bytes, 5000);

await client.messageFlagsAdd({ uid: "1:3" }, ["\\Seen", "$Label1"]);
assert.deepEqual(await client.search({ seen: true }, { uid: true }), [1, 2, 3]);
assert.deepEqual(await client.search({ body: "text of MESSAGE 5" }, { uid: true }), [5]);
const since = client.mailbox.highestModseq;
await client.messageFlagsAdd({ uid: "5" }, ["\\Flagged"]);
const changed = [];
for await (const item of client.fetch("1:*", { flags: true, uid: true }, { changedSince: since })) changed.push(item.uid);
assert.ok(changed.includes(5), String(changed));
const moved = await client.messageMove({ uid: "6:7" }, "Archive");
assert.deepEqual([...moved.uidMap.entries()], [[6, 1], [7, 2]]);
const appended = await client.append("Drafts", "Subject: draft\r\n\r\nhello\r\n", ["\\Draft"]);
assert.equal(appended.uid, 1);
assert.ok(await client.messageDelete({ uid: "1" }));
lock.release();
const status = await client.status("INBOX", { messages: true, unseen: true, uidNext: true, highestModseq: true });
assert.equal(status.messages, 4);
await client.mailboxCreate(["Projects", "Größe & Maß"]);
assert.ok((await client.list()).some((mailbox) => mailbox.path === "Projects/Größe & Maß"));
await client.mailboxDelete(["Projects", "Größe & Maß"]);
await client.logout();
console.log("done");
