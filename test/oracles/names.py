"""names -- a name server on an address of its own, for those who want one.

    with Names({"s._domainkey.a.example": ["v=DKIM1; ..."]}) as names:
        names.at            "127.9.8.7"; its port is 53, so it takes root
"""
import os
import socket
import threading

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class Names:
    def __init__(self, texts):
        self.texts = {name.lower(): all for name, all in texts.items()}
        self.at = f"127.{1 + os.getpid() % 250}.{1 + os.getpid() // 250 % 250}.53"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.at, 53))
        self.socket.settimeout(0.2)
        self.is_over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def answer(self, octets):
        query = dns.message.from_wire(octets)
        response = dns.message.make_response(query, our_payload=4096)
        response.flags |= dns.flags.RA | dns.flags.AA
        question = query.question[0]
        texts = self.texts.get(question.name.to_text(omit_final_dot=True).lower())
        if texts is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif question.rdtype == 16:
            for text in texts:
                parts = " ".join(f'"{text[i:i + 255]}"' for i in range(0, len(text), 255))
                response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "TXT", parts))
        return response.to_wire(max_size=4096)

    def serve(self):
        while not self.is_over:
            try:
                octets, peer = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            try:
                self.socket.sendto(self.answer(octets), peer)
            except (dns.exception.DNSException, OSError):
                pass                     # it will ask again

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over = True
        self.thread.join()               # a socket that is being read stays bound
        self.socket.close()
