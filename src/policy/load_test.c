#include "policy/test_conf.h"

static const struct { const char *yaml, *says; } cases[] = {
	{ "hostname: mx1.example.com\n"
	  "queue: 5",
	    "2:1+5 unknown key 'queue'; did you mean 'limits.queue'?\n" },
	{ "hostname: [ a.example ]",
	    "1:1+8 'hostname' must be a domain name, not a list\n" },
	{ "hostname: not a name",
	    "1:11+10 'not a name' is not a domain name (examples: example.org)\n" },
	{ "hostname: \"-x.example\"",
	    "1:12+10 '-x.example' is not a domain name (examples: example.org)\n" },
	{ "hostname: a.example\n"
	  "hostname: b.example",
	    "2:1+8 key 'hostname' stands here twice; first in line "
	    "1\n" },
	{ "hostname:",
	    "1:1+8 'hostname' has no value\n" },
	{ "hostname: {}",
	    "1:1+8 'hostname' must be a domain name, not a map\n" },
	{ "hostname: file:/nowhere",
	    "1:11+13 'file:/nowhere': there is no such thing\n" },
	{ "hostname: env:NOT_SET",
	    "1:11+11 'env:NOT_SET': there is no such thing\n" },
	{ "hostname: cred:../x",
	    "1:11+9 'cred:../x': there is no such thing\n" },
	{ "- hostname",
	    "1:1+1 a configuration is a map of keys, as 'hostname: "
	    "mx1.example.com'\n" },
	{ "just text",
	    "1:1+9 a configuration is a map of keys, as 'hostname: "
	    "mx1.example.com'\n" },
	{ "host_name: a.example",
	    "1:1+9 unknown key 'host_name'; did you mean 'hostname'?\n" },
	{ "Hostname: a.example",
	    "1:1+8 unknown key 'Hostname'; did you mean 'hostname'?\n" },
	{ "limits.size: 5M",
	    "1:1+11 'limits.size' is written as limits: { size: ... "
	    "}\n" },
	{ "limits: 5",
	    "1:1+6 'limits' must be a map of keys, not a text\n" },
	{ "limits: []",
	    "1:1+6 'limits' must be a map of keys, not a list\n" },
	{ "limits: { sise: 5M }",
	    "1:11+4 unknown key 'limits.sise'; did you mean 'size'?\n" },
	{ "limits: { size: 50MB }",
	    "1:17+4 '50MB' is not a size (examples: 512, 64K, 50M, "
	    "2G)\n" },
	{ "limits: { size: 1K }",
	    "1:17+2 '1K' is out of range (64K to 4G)\n" },
	{ "limits: { size: 5G }",
	    "1:17+2 '5G' is out of range (64K to 4G)\n" },
	{ "limits: { recipients: 0 }",
	    "1:23+1 '0' is out of range (1 to 100000)\n" },
	{ "limits: { recipients: many }",
	    "1:23+4 'many' is not a number\n" },
	{ "limits: { recipients: -5 }",
	    "1:23+2 '-5' is not a number\n" },
	{ "limits: { recipients: 100001 }",
	    "1:23+6 '100001' is out of range (1 to 100000)\n" },
	{ "limits: { recipients: 5.5 }",
	    "1:23+3 '5.5' is not a number\n" },
	{ "limits: { per_ip: 60 }",
	    "1:19+2 '60' is not a rate (examples: 100/s, 60/min, 10000/h, "
	    "none)\n" },
	{ "limits: { per_ip: 60/minute }",
	    "1:19+9 '60/minute' is not a rate (examples: 100/s, 60/min, "
	    "10000/h, none)\n" },
	{ "limits: { connections_per_ip: nope }",
	    "1:31+4 'nope' is not a number\n" },
	{ "limits: { size: 5M }\n"
	  "inbound: { limits: { size: 6M } }",
	    "2:22+4 'limits.size' is set already in t.yaml:1\n" },
	{ "outbound: { expire: five days }",
	    "1:21+9 'five days' is not a duration (examples: 30s, 15m, "
	    "4h, 5d)\n" },
	{ "outbound: { expire: 5 }",
	    "1:21+1 '5' is not a duration (examples: 30s, 15m, 4h, "
	    "5d)\n" },
	{ "outbound: { expire: 61d }",
	    "1:21+3 '61d' is out of range (1m to 60d)\n" },
	{ "outbound: { retry: [] }",
	    "1:13+5 'outbound.retry' needs a duration at least\n" },
	{ "outbound: { retry: [ 5m, 0s ] }",
	    "1:26+2 '0s' is out of range (1s to 30d)\n" },
	{ "outbound: { retry: [ 5m, [ 6m ] ] }",
	    "1:26+1 this must be a duration\n" },
	{ "outbound: { retry: { a: 5m } }",
	    "1:13+5 'outbound.retry' must be a duration or a list of "
	    "them, not a map\n" },
	{ "outbound: { prefer: ipv5 }",
	    "1:21+4 'ipv5' is not one of ipv6, ipv4, ipv6_only, ipv4_only\n" },
	{ "outbound: { bind: [ 192.0.2.1, 192.0.2.2 ] }",
	    "1:13+4 'outbound.bind' has two addresses of one family\n" },
	{ "outbound: { bind: mx.example }",
	    "1:19+10 'mx.example' is not an IP address (examples: 192.0.2.1, "
	    "2001:db8::1)\n" },
	{ "trusted: 192.0.2.0/33",
	    "1:10+12 '192.0.2.0/33' is not a network (examples: 192.0.2.0/24, "
	    "2001:db8::/32)\n" },
	{ "trusted: [ 192.0.2.1/24, 10.0.0.0 /8 ]",
	    "1:12+12 '192.0.2.1/24' is not a network (examples: 192.0.2.0/24, "
	    "2001:db8::/32)\n"
	    "1:26+11 '10.0.0.0 /8' is not a network (examples: 192.0.2.0/24, "
	    "2001:db8::/32)\n" },
	{ "trusted: [ 0.0.0.0/0 ]",
	    "1:1+7 '0.0.0.0/0' trusts everybody: an open relay\n" },
	{ "trusted: [ \"::/0\" ]",
	    "1:1+7 '::/0' trusts everybody: an open relay\n" },
	{ "listen:\n"
	  "  - { role: mx }",
	    "2:5+1 a listener needs a port\n" },
	{ "listen:\n"
	  "  - { port: 0, role: mx }",
	    "2:13+1 '0' is out of range (1 to 65535)\n" },
	{ "listen:\n"
	  "  - { port: 65536 }",
	    "2:13+5 '65536' is out of range (1 to 65535)\n" },
	{ "listen:\n"
	  "  - { port: smtp }",
	    "2:13+4 'smtp' is not a number\n" },
	{ "listen:\n"
	  "  - port 25",
	    "2:5+7 'listen[0]' must be a map of keys, not a text\n" },
	{ "listen: { port: 25 }",
	    "1:1+6 'listen' must be a list, not a map\n" },
	{ "listen:\n"
	  "  - { port: 25, role: mta }",
	    "2:23+3 'mta' is not one of mx, submission, relay, acme\n" },
	{ "listen:\n"
	  "  - { port: 25, address: localhost }",
	    "2:26+9 'localhost' is not an IP address (examples: 192.0.2.1, "
	    "2001:db8::1)\n" },
	{ "listen:\n"
	  "  - { port: 25, address: [] }",
	    "2:5+1 a listener needs an address; leave the key out for "
	    "all\n" },
	{ "listen:\n"
	  "  - { port: 25 }\n"
	  "  - { port: 25, role: relay }",
	    "3:5+1 port 25 of this address has a listener already (line "
	    "2)\n" },
	{ "listen:\n"
	  "  - { port: 25, name: a }\n"
	  "  - { port: 26, name: a }",
	    "3:5+1 the listener of line 2 is called 'a', too\n" },
	{ "listen:\n"
	  "  - { port: 465, tls: yes }",
	    "2:23+3 'yes' is not one of offered, required, implicit, "
	    "off\n" },
	{ "listen:\n"
	  "  - { port: 8025, role: http }",
	    "2:25+4 'http' is known but not in this version; without "
	    "it, the server is run by its command line and control "
	    "socket\n" },
	{ "domains: [ example.org ]",
	    "1:1+7 'domains' must be a map of keys, not a list\n" },
	{ "domains: { example..org: {} }",
	    "1:12+12 'example..org' is not a domain name\n" },
	{ "domains: { example.org: yes }",
	    "1:12+11 'domains.example.org' must be a map of keys, not "
	    "a text\n" },
	{ "domains: { example.org: { user: [ a ] } }",
	    "1:27+4 unknown key 'domains.example.org.user'; did you "
	    "mean 'users'?\n" },
	{ "domains: { example.org: { users: a/b } }",
	    "1:34+3 'a/b' is not a user (examples: file:/etc/nightmail/users, "
	    "system, alice)\n" },
	{ "domains: { example.org: { users: [ a, A ] } }",
	    "1:27+5 user 'A' stands here twice\n" },
	{ "domains: { example.org: { users: file:/nowhere } }",
	    "1:27+5 there is no file /nowhere\n" },
	{ "domains: { example.org: { users: file:users } }",
	    "1:34+10 'file:users' is not a user (examples: file:/etc/nightmail/"
	    "users, system, alice)\n" },
	{ "domains: { example.org: { users: file:/bad-users } }",
	    "/bad-users:1:1+0 this line has a user id that is no number\n"
	    "/bad-users:2:1+0 this line names no user\n"
	    "/bad-users:3:1+3 'b/b' is no name for a mailbox: letters, "
	    "digits and ._+=- only\n"
	    "/bad-users:5:1+3 user 'bob' stands here twice\n" },
	{ "domains: { example.org: { aliases: /nowhere } }",
	    "1:27+7 there is no file /nowhere\n" },
	{ "domains: { example.org: { aliases: aliases } }",
	    "1:36+7 'aliases' is not an absolute path\n" },
	{ "domains: { example.org: { aliases: /bad-aliases } }",
	    "/bad-aliases:2:1+1 'A' stands here twice; first in line 1\n"
	    "/bad-aliases:3:1+7 'nocolon' has no colon\n"
	    "/bad-aliases:4:5+3 'cmd' it must begin with the absolute path of a "
	    "program\n"
	    "/bad-aliases:5:4+5 '/file' is no Maildir; its name ends with a '/', "
	    "and files of the mbox kind are not written\n"
	    "/bad-aliases:6:13+8 '/nowhere' cannot be read: there is no such "
	    "file\n"
	    "/bad-aliases:7:4+3 'a b' is not a target\n"
	    "/bad-aliases:8:1+1 'v' has no targets\n" },
	{ "domains: { example.org: { users: [ a ], catch_all: b } }",
	    "1:41+9 'b' is not a user of example.org\n" },
	{ "domains: { example.org: { users: [ a ], catch_all: \"b c\" "
	  "} }",
	    "1:41+9 'b c' is neither a user nor a mail address\n" },
	{ "domains: { example.org: { alias_of: example.net } }",
	    "1:27+8 'example.net' is not among the domains\n" },
	{ "domains:\n"
	  "  example.org: { alias_of: example.net }\n"
	  "  example.net: { alias_of: example.com }\n"
	  "  example.com: { users: [ a ] }",
	    "2:18+8 'example.net' is an alias itself; name the domain "
	    "it stands for\n" },
	{ "domains:\n"
	  "  example.org: { alias_of: example.net, users: [ a ] }\n"
	  "  example.net: { users: [ a ] }",
	    "2:3+11 'example.org' is alias_of another domain; its other "
	    "keys mean nothing\n" },
	{ "domains:\n"
	  "  example.org: { users: [ a ] }\n"
	  "  Example.ORG: { users: [ b ] }",
	    "3:3+11 domain 'example.org' stands in line 2 already\n" },
	{ "domains: { example.org: { maildir: mail/%u } }",
	    "1:36+7 'mail/%u' is not a path of a Maildir (examples: "
	    "~/Maildir, /var/mail/%d/%u)\n" },
	{ "domains: { example.org: { maildir: /mail/%x } }",
	    "1:36+8 '/mail/%x' is not a path of a Maildir (examples: "
	    "~/Maildir, /var/mail/%d/%u)\n" },
	{ "domains: { example.org: { maildir: /mail/% } }",
	    "1:36+7 '/mail/%' is not a path of a Maildir (examples: "
	    "~/Maildir, /var/mail/%d/%u)\n" },
	{ "domains: { example.org: { relay_to: mail.example.org } }",
	    "1:37+16 'mail.example.org' is not a relay (examples: mx, "
	    "smtp://mail.example.org:2525, lmtp://localhost:24)\n" },
	{ "domains: { example.org: { relay_to: smtp://mail.example.org:0 "
	  "} }",
	    "1:37+25 'smtp://mail.example.org:0' is not a relay (examples: "
	    "mx, smtp://mail.example.org:2525, lmtp://localhost:24)\n" },
	{ "domains: { example.org: { relay_to: smtp://mail_x.example.org "
	  "} }",
	    "1:37+25 'smtp://mail_x.example.org' is not a relay (examples: "
	    "mx, smtp://mail.example.org:2525, lmtp://localhost:24)\n" },
	{ "domains: { example.org: { relay_to: [] } }",
	    "1:27+8 these are 0 hosts; there may be 1 to 8\n" },
	{ "domains: { example.org: { relay_to: [ smtp://a.example, mx "
	  "] } }",
	    "1:57+2 'mx' is not a relay (examples: mx, smtp://mail.example.org:"
	    "2525, lmtp://localhost:24)\n" },
	{ "domains: { example.org: { relay_to: lmtp:unix:/x } }",
	    "1:37+12 'lmtp:unix:/x' is not a relay (examples: mx, smtp://mail.e"
	    "xample.org:2525, lmtp://localhost:24)\n" },
	{ "route:\n"
	  "  - { if: { rcpt_domain: x } }",
	    "2:5+1 a route needs one of relay, discard and refuse, or a pool\n" },
	{ "route:\n"
	  "  - { relay: mx, discard: why }",
	    "2:5+1 a route has one of relay, discard and refuse, not "
	    "several\n" },
	{ "route:\n"
	  "  - { relay: smtps://h.example }",
	    "2:5+1 'verify' needs the certificates of authorities, and the "
	    "system has none; install ca-certificates or set tls.ca\n" },
	{ "route:\n"
	  "  - { discard: x, tls: verify }",
	    "2:5+1 there is no relay here that tls and auth could be for\n" },
	{ "route:\n"
	  "  - { relay: smtp://h.example, tls: { ca: /none } }",
	    "2:5+1 there is no file /none\n" },
	{ "route:\n"
	  "  - { relay: smtp://h.example, tls: { ca: /etc/passwd } }",
	    "2:5+1 /etc/passwd: there is no certificate in it; it should hold "
	    "the certificates of authorities, PEM\n" },
	{ "route:\n"
	  "  - { relay: smtps://h.example, tls: may }",
	    "2:5+1 smtps:// and smtp+tls:// are TLS, and tls.level is 'may'; "
	    "use smtp://, or encrypt or verify\n" },
	{ "route:\n"
	  "  - { relay: smtp://h.example, tls: { level: encrypt, names: x.y } }",
	    "2:5+1 tls.names and tls.ca mean nothing with tls.level "
	    "'encrypt'; they are for 'verify'\n" },
	{ "route:\n"
	  "  - { relay: smtp://h.example, auth: { user: me } }",
	    "2:5+1 auth needs a user, and either a password or a token\n" },
	{ "route:\n"
	  "  - { relay: smtp://h.example, auth: { login: only } }",
	    "2:5+1 auth.login is user:password, and stands in place of both\n"
	    "2:5+1 auth needs a user, and either a password or a token\n" },
	{ "route:\n"
	  "  - { relay: mx, auth: \"me:secret\" }",
	    "2:5+1 auth is for a relay that is named; whoever is an MX must "
	    "not hear the password\n" },
	{ "outbound: { tls: verify }",
	    "1:13+3 'verify' needs the certificates of authorities, and the "
	    "system has none; install ca-certificates or set tls.ca\n" },
	{ "route:\n"
	  "  - { if: { rcpt_domain: \"*x.example\" }, relay: mx }",
	    "2:27+10 '*x.example' is not a domain pattern (examples: "
	    "example.org, *.example.org, *)\n" },
	{ "route:\n"
	  "  - { if: { rcpt: x }, relay: mx }",
	    "2:13+4 unknown key 'route[0].if.rcpt'; did you mean 'rcpt_domain'?"
	    "\n" },
	{ "route: mx",
	    "1:1+5 'route' must be a list, not a text\n" },
	{ "deliver: { maildir: /var/mail/%d/%u, user: nobodyhere }",
	    "1:38+4 there is no user 'nobodyhere' in /etc/passwd\n" },
	{ "deliver: { user: root }",
	    "1:12+4 mailboxes must not belong to the superuser\n" },
	{ "deliver: { virtual: ~/x }",
	    "1:12+7 'deliver.virtual' is for users without a home; "
	    "it must begin with /\n" },
	{ "deliver: { pipe: cat }",
	    "1:18+3 'cat' is not a command: it must begin with the absolute "
	    "path of a program\n" },
	{ "deliver:\n"
	  "  pipe: /bin/cat ${recipent}",
	    "2:9+20 '/bin/cat ${recipent}' is not a command: there is no "
	    "variable ${recipent}; did you mean ${recipient}?\n" },
	{ "deliver:\n"
	  "  pipe: /bin/cat | /bin/cat",
	    "2:9+19 '/bin/cat | /bin/cat' is not a command: no shell reads it, "
	    "and '|' means nothing: quote it, or put it into a script\n" },
	{ "deliver: { lmtp: unix:run/dovecot/lmtp }",
	    "1:18+21 'unix:run/dovecot/lmtp' is not an LMTP server (examples: "
	    "unix:/run/dovecot/lmtp, localhost:24)\n" },
	{ "deliver: { lmtp: localhost }",
	    "1:18+9 'localhost' is not an LMTP server (examples: "
	    "unix:/run/dovecot/lmtp, localhost:24)\n" },
	{ "deliver: { lmtp: localhost:24, pipe: /bin/cat }",
	    "1:12+4 'deliver' has one of lmtp, maildir and pipe, not "
	    "several\n" },
	{ "deliver: { maildir: ~/Maildir, pipe: /bin/cat }",
	    "1:32+4 'deliver' has one of lmtp, maildir and pipe, not "
	    "several\n" },
	{ "deliver: { lmpt: localhost:24 }",
	    "1:12+4 unknown key 'deliver.lmpt'; did you mean 'lmtp'?\n" },
	{ "domains: { a.example: { users: [ bob ],\n"
	  "  maildir: /m/%u, deliver: { maildir: /n/%u } } }",
	    "2:3+7 'maildir' and 'deliver.maildir' mean the same\n" },
	{ "domains: { a.example: { relay_to: mx, deliver: { pipe: /x } } }",
	    "1:25+8 mail for 'a.example' goes on by relay_to; what 'deliver' "
	    "says means nothing\n" },
	{ "transports: { a/b: { pipe: /x } }",
	    "1:15+3 'a/b' is not a transport's name\n" },
	{ "transports: { none: { } }",
	    "1:15+4 a transport needs one of lmtp, maildir and pipe\n" },
	{ "transports: { two: { pipe: /x, maildir: /m } }",
	    "1:15+3 a transport has one of lmtp, maildir and pipe, not "
	    "several\n" },
	{ "route: [ { relay: [ smtp://a.example, lmtp://a.example:24 ] } ]",
	    "1:39+19 'lmtp://a.example:24' speaks another protocol than the "
	    "first of the list\n" },
	{ "route: [ { relay: lmtp://a.example } ]",
	    "1:19+16 'lmtp://a.example' is not a relay (examples: mx, "
	    "smtp://mail.example.org:2525, lmtp://localhost:24)\n" },
	{ "admin: a@b@c",
	    "1:8+5 'a@b@c' is not a mail address (examples: alice@example.org, "
	    "alice)\n" },
	{ "admin: \"alice\\tx\"",
	    "1:9+8 in quotes only \\\" and \\\\ have a meaning here\n" },
	{ "node: \"\\u0041\"",
	    "1:8+6 in quotes only \\\" and \\\\ have a meaning here\n" },
	{ "hostname: a\n"
	  "  b",
	    "1:11+1 a text stands on one line\n" },
	{ "hostname: \"a\\\n"
	  "  b\"",
	    "1:12+2 a text stands on one line\n" },
	{ "hostname: >-\n"
	  "  a",
	    "2:1+3 a text stands on one line\n" },
	{ "hostname: 'a''b'",
	    "1:12+4 'a'b' is not a domain name (examples: example.org)\n" },
	{ "hostname: \"a\\\"b\\\\c\\/\"",
	    "1:12+9 'a\"b\\c/' is not a domain name (examples: example.org)\n" },
	{ "hostname: ''",
	    "1:12+1 '' is not a domain name (examples: example.org)\n" },
	{ "log: { to: file }",
	    "1:8+2 'file' is not stderr, syslog or an absolute path\n" },
	{ "log: { format: xml }",
	    "1:16+3 'xml' is not one of text, json\n" },
	{ "dns: { zone: /nowhere }",
	    "1:8+4 there is no file /nowhere\n" },
	{ "dns: { forwarders: [ resolver.example ] }",
	    "1:22+16 'resolver.example' is not an IP address (examples: "
	    "192.0.2.1, 2001:db8::1)\n" },
	{ "forward: { srs_domain: away.example }",
	    "1:12+10 'forward.srs_domain': away.example is no domain of this "
	    "server; add it to domains, and let its MX lead here\n" },
	{ "forward: { arc: on, arc_domain: away.example }",
	    "1:21+10 'forward.arc_domain': away.example is no domain of this "
	    "server; add it to domains, and let its MX lead here\n" },
	{ "forward: { srs_secret: mysecretmysecret }",
	    "1:24+16 a secret does not stand in the configuration: say cred:NAME "
	    "(a file of systemd's LoadCredential), env:NAME or file:PATH\n" },
	{ "forward: { srs_secret: \"file:/short\" }",
	    "1:12+10 'forward.srs_secret': a secret has at least 16 characters; "
	    "openssl rand -base64 18 makes one\n" },
	{ "forward: { srs_secret: \"file:/many\" }",
	    "1:12+10 'forward.srs_secret': it has more than 16 lines\n" },
	{ "forward: { srs_secret: \"file:/nowhere\" }",
	    "1:25+13 'file:/nowhere': there is no such thing\n" },
	{ "forward: { arc: on }\ninbound: { verify: { arc: no } }",
	    "1:12+3 'forward.arc' says what ARC was when a message came, and "
	    "inbound.verify.arc is no; turn it on\n" },
	{ "spool: { path: spool }",
	    "1:16+5 'spool' is not an absolute path\n" },
	{ "spool: { segment: 1K }",
	    "1:19+2 '1K' is out of range (256K to 1G)\n" },
	{ "cores: 0",
	    "1:8+1 '0' is out of range (1 to 64)\n" },
	{ "cores: 65",
	    "1:8+2 '65' is out of range (1 to 64)\n" },
	{ "include: /nowhere.yaml",
	    "1:10+13 there is no file /nowhere.yaml\n" },
	{ "include: [ { a: b } ]",
	    "1:12+1 'include' must be a list of paths\n" },
	{ "tls: { cert: /x }",
	    "1:8+4 'tls.cert' names 1 certificate and 'tls.key' 0 keys; "
	    "each certificate needs its own\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { email: a@example.org } }",
	    "2:16+5 nothing is asked of an authority before you agree to its "
	    "terms: tls.acme: { agree_tos: yes }\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes } }",
	    "2:16+9 the authority comes to port 80, and nobody answers there: "
	    "add '{ port: 80, role: acme }' to 'listen'\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes, challenge: tls-alpn-01 } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:16+9 the authority comes to port 443, and nobody answers there: "
	    "add '{ port: 443, role: acme, tls: implicit }' to 'listen'\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes, names: [ \"*.example.org\", x ] } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:32+5 '*.example.org' is no name of a host that can be proved by "
	    "http-01\n"
	    "2:32+5 'x' is no name of a host that can be proved by http-01\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes, directory: \"http://ca.test/\" } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:32+9 a directory of ACME is at an https:// address\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { state: /var/spool/nightmail/tls, acme: { agree_tos: yes } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:8+5 'tls.state' must not be below the spool, where the worker "
	    "may read and write\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes, eab: { kid: x } } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:39+3 'tls.acme.eab' needs both, kid and key\n" },
	{ "hostname: mx.example.org\n"
	  "tls: { acme: { agree_tos: yes, eab: { kid: x, key: eHg } } }\n"
	  "listen: [ { port: 80, role: acme } ]",
	    "2:47+3 a secret does not stand in the configuration: say cred:NAME "
	    "(a file of systemd's LoadCredential) or env:NAME\n" },
	{ "tls: { cert: [ /x, /y ], key: /k }",
	    "1:8+4 'tls.cert' names 2 certificates and 'tls.key' 1 key; "
	    "each certificate needs its own\n" },
	{ "tls: { key: /k }",
	    "1:8+3 'tls.cert' names 0 certificates and 'tls.key' 1 key; "
	    "each certificate needs its own\n" },
	{ "x: &a 1",
	    "1:4+2 anchors (&name) are not allowed here\n" },
	{ "hostname: *a",
	    "1:11+2 aliases (*name) are not allowed here\n" },
	{ "limits: { <<: { size: 5M } }",
	    "1:11+2 merge keys (<<) are not allowed here\n" },
	{ "hostname: !!str a.example",
	    "1:11+5 tags (!name) are not allowed here\n" },
	{ "hostname: a.example\n"
	  "---\n"
	  "hostname: b.example",
	    "2:1+3 a second document (---) is not allowed here\n" },
	{ "hostname: \"a.example",
	    "1:12+1 this is not YAML: double-quoted scalar without "
	    "closing quote\n" },
	{ "limits: { size: 5M",
	    "2:1+0 this is not YAML: missing comma in flow mapping\n" },
	{ "limits:\n"
	  "\tsize: 5M",
	    "2:1+1 a tab; indent and separate with spaces\n" },
	{ "hostname: a.example\t# why",
	    "1:20+1 a tab; indent and separate with spaces\n" },
	{ "? [ a, b ]\n"
	  ": c",
	    "1:3+1 a key must be a text\n" },
	{ "? { a: b }\n"
	  ": c",
	    "1:3+1 a key must be a text\n" },
	{ "a: [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]",
	    "1:1+1 unknown key 'a'\n"
	    "1:19+1 this is nested too deep\n" },
	{ "limits: &x { size: 5M }",
	    "1:9+2 anchors (&name) are not allowed here\n" },
	{ "x: |\n"
	  "  a\n"
	  "  b",
	    "2:1+3 a text stands on one line\n" },
	{ "\xc3\xbc" "ber: 1",
	    "1:1+4 unknown key '\xc3\xbc" "ber'\n" },
	{ "limits: { \xc3\xbc" ": 1, size: x }",
	    "1:11+1 unknown key 'limits.\xc3\xbc" "'\n"
	    "1:23+1 'x' is not a size (examples: 512, 64K, 50M, 2G)\n" },
	{ "users: x",
	    "1:1+5 unknown key 'users'; did you mean 'user'?\n" },
	{ "catch_all: x",
	    "1:1+9 unknown key 'catch_all'; did you mean 'domains.*.catch_all'?"
	    "\n" },
	{ "streams: {}",
	    "1:1+7 'streams' is known but not in this version; without "
	    "it, all mail is of the stream 'default'\n" },
	{ "node: \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
	  "nnn\"",
	    "1:8+65 this text has 65 octets; it may have 1 to 64 octets\n" },
	{ "domains: { example.org: { subaddress: \"+-_=.,;:!\" } }",
	    "1:40+9 this text has 9 octets; it may have 1 to 8 octets\n" },
};

/* Seventeen secrets. */
#define FOUR "0123456789abcdef\n0123456789abcdef\n0123456789abcdef\n" \
	"0123456789abcdef\n"
static const char many_lines[] = FOUR FOUR FOUR FOUR "0123456789abcdef\n";

static void
test_says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		conf_begin();
		conf_file("/short", "0123456789abcdef0\n0123456789abcde\n");
		conf_file("/many", many_lines);
		conf_file("/bad-users", "alice:x:one:1::/h:/s\n:x:\nb/b\nbob\n"
		    "bob\n");
		conf_file("/bad-aliases", "a: b\nA: c\nnocolon\nx: |cmd\n"
		    "y: /file\nz: :include:/nowhere\nw: a b\nv:\n");
		if (conf_try(cases[i].yaml) != NULL)
			fail_msg("this was taken:\n%s", cases[i].yaml);
		if (strcmp(conf_said(true), cases[i].says) != 0)
			fail_msg("of this:\n%s\nit said:\n%sinstead of:\n%s",
			    cases[i].yaml, conf_said(true), cases[i].says);
		conf_end();
	}
}

/* PRODUCT's example, with its carets. */
static void
test_says_it_in_the_form_of_compilers(void **state)
{
	char said[1024];
	struct buf b = BUF_OF(said);

	(void)state;
	conf_begin();
	assert_null(conf_try("outbound:\n  retri: [5m, 15m]\n"
	    "  expire: five days\n"));
	problems_print(&conf_problems, &b);
	buf_putc(&b, '\0');
	assert_string_equal(said,
	    "t.yaml:2:3: error: unknown key 'outbound.retri'; did you mean "
	    "'retry'?\n"
	    "  retri: [5m, 15m]\n"
	    "  ^~~~~\n"
	    "t.yaml:3:11: error: 'five days' is not a duration (examples: 30s, "
	    "15m, 4h, 5d)\n"
	    "  expire: five days\n"
	    "          ^~~~~~~~~\n");
	conf_end();
}

/* Any octets are read to their end and answered. */
static void
test_takes_no_octets_for_granted(void **state)
{
	static const struct { struct str yaml; const char *says; } octets[] = {
		{ STR_INIT("hostname: a\xff.example"),
		    "1:1+0 this line is not UTF-8\n" },
		{ STR_INIT("hostname: a\0b"), "1:12+1 a control character\n" },
		{ STR_INIT("a\x7f: b"), "1:2+1 a control character\n" },
		{ STR_INIT("# a tab in a\tcomment is fine\n"), "" },
		{ STR_INIT("hostname: a.example\r\nnode: x\r\n"), "" },
		{ STR_INIT("\xef\xbb\xbfhostname: a.example\n"), "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof octets / sizeof octets[0]; i++) {
		struct config *c;

		conf_begin();
		assert_int_equal(source_memory_file(&conf_machine,
		    STR("t.yaml"), octets[i].yaml), 0);
		c = config_load(&conf_machine.source, STR("t.yaml"),
		    &conf_problems);
		assert_string_equal(conf_said(true), octets[i].says);
		assert_int_equal(c == NULL, octets[i].says[0] != '\0');
		if (c != NULL)
			config_free(c);
		conf_end();
	}
}

static void
test_needs_its_file(void **state)
{
	(void)state;
	conf_begin();
	assert_null(config_load(&conf_machine.source, STR("/none.yaml"),
	    &conf_problems));
	assert_string_equal(conf_said(true),
	    "0:0+0 there is no file /none.yaml\n");
	conf_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_says_what_is_wrong),
		cmocka_unit_test(test_says_it_in_the_form_of_compilers),
		cmocka_unit_test(test_takes_no_octets_for_granted),
		cmocka_unit_test(test_needs_its_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
