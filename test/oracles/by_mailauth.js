// by_mailauth -- what mailauth makes of messages: by_mailauth.js ZONE (JSON).
// Lines of stdin are "path TAB ip TAB helo TAB sender"; the answer is a line of JSON.
'use strict';
const fs = require('fs');
const readline = require('readline');
const { authenticate } = require('mailauth');

const zone = JSON.parse(fs.readFileSync(process.argv[2]));
const names = new Set();
for (const name of Object.keys(zone)) {
    const labels = name.split('.');
    for (let i = 0; i < labels.length; i++) names.add(labels.slice(i).join('.'));
}

function no(code) {
    const e = new Error(code);
    e.code = code;
    return e;
}

async function resolver(name, type) {
    name = name.toLowerCase().replace(/\.$/, '');
    const all = zone[name];
    if (all === 'SERVFAIL') throw no('ESERVFAIL');
    if (!names.has(name)) throw no('ENOTFOUND');
    if (!all || !all[type]) throw no('ENODATA');
    return all[type];
}

async function judge(line) {
    const [path, ip, helo, sender] = line.split('\t');
    const { dkim, spf, arc, dmarc } = await authenticate(fs.readFileSync(path), {
        ip, helo, sender: sender === '<>' ? '' : sender, mta: 'mx.test', resolver, strict: true, disableBimi: true
    });
    return {
        spf: spf ? spf.status.result : 'none',
        dkim: (dkim.results || []).map(r => ({ result: r.status.result, domain: r.signingDomain || '',
            why: r.status.comment || '' })),
        arc: arc && arc.status ? arc.status.result : 'none',
        dmarc: dmarc ? { result: dmarc.status.result, policy: dmarc.policy, domain: dmarc.policyDomain,
            organization: dmarc.domain, error: dmarc.error,
            spf_aligned: !!(dmarc.alignment && dmarc.alignment.spf.result),
            dkim_aligned: !!(dmarc.alignment && dmarc.alignment.dkim.result) } : null
    };
}

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin }))
        process.stdout.write(JSON.stringify(await judge(line)) + '\n');
})();
