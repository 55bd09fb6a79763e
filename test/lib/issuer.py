"""issuer -- an issuer of OAuth tokens over HTTPS, and of false ones.

    with Issuer(directory, certificate=(cert, key, ca)) as issuer:
        token = issuer.token("alice@a.test", alg="ES256")

Keys are openssl's: RSA, P-256, Ed25519.  It tells about itself at
/.well-known/openid-configuration, of its keys at /keys, and of single tokens at
/introspect, to the client "nightmail" with the secret "s3 cret".
"""
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import subprocess
import threading
import time
import urllib.parse

from server import free_port

KINDS = {"RS256": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
         "ES256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
         "EdDSA": ["-algorithm", "ED25519"]}
BASIC = "Basic " + base64.b64encode(b"nightmail:s3%20cret").decode()


def letters(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def openssl(*words, data=None):
    return subprocess.run(["openssl", *map(str, words)], input=data, check=True, capture_output=True).stdout


def der_numbers(der):
    """The two INTEGERs of an ECDSA signature, 32 octets each."""
    at, out = 2, b""
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(32, b"\0")
        at += 2 + n
    return out


class Issuer:
    def __init__(self, directory, certificate, host="127.0.0.1", name="issuer.test"):
        self.dir = directory
        directory.mkdir(parents=True)
        self.port = free_port()
        self.url = f"https://{name}:{self.port}"
        self.keys = {}              # by kid: (alg, path)
        self.asked = []             # the paths
        self.known = {}             # token: what introspection says
        for alg in KINDS:
            self.make_key(alg)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate[0], certificate[1])
        self.server = http.server.ThreadingHTTPServer((host, self.port), self.handler(),
                                                      bind_and_activate=False)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                             do_handshake_on_connect=False)

    def make_key(self, alg, kid=None):
        kid = kid or alg
        path = self.dir / f"{kid}.pem"
        openssl("genpkey", *KINDS[alg], "-out", path)
        self.keys[kid] = (alg, path)

    def jwk(self, kid):
        alg, path = self.keys[kid]
        common = {"kid": kid, "use": "sig"}
        der = openssl("pkey", "-in", path, "-pubout", "-outform", "DER")
        if alg == "RS256":
            modulus = openssl("rsa", "-in", path, "-noout", "-modulus").decode().strip().split("=")[1]
            return {**common, "kty": "RSA", "n": letters(bytes.fromhex(modulus)), "e": "AQAB"}
        if alg == "ES256":
            return {**common, "kty": "EC", "crv": "P-256", "x": letters(der[-64:-32]), "y": letters(der[-32:])}
        return {**common, "kty": "OKP", "crv": "Ed25519", "x": letters(der[-32:])}

    def sign(self, alg, kid, text):
        path = self.keys[kid][1]
        if alg == "none":
            return b""
        if alg == "HS256":          # by the public key, as if it were a secret
            return hmac.new(openssl("pkey", "-in", path, "-pubout"), text, hashlib.sha256).digest()
        if alg == "EdDSA":
            (self.dir / "text").write_bytes(text)
            return openssl("pkeyutl", "-sign", "-inkey", path, "-rawin", "-in", self.dir / "text")
        if alg == "PS256":
            return openssl("dgst", "-sha256", "-sign", path, "-sigopt", "rsa_padding_mode:pss",
                           "-sigopt", "rsa_pss_saltlen:digest", data=text)
        signature = openssl("dgst", "-sha256", "-sign", path, data=text)
        return der_numbers(signature) if alg == "ES256" else signature

    def token(self, name, alg="RS256", kid=None, seconds=600, **more):
        kid = kid or ("RS256" if alg in ("none", "HS256", "PS256") else alg)
        claims = {"iss": self.url, "aud": "mail", "email": name, "scope": "openid smtp",
                  "iat": int(time.time()), "exp": int(time.time()) + seconds, **more}
        text = ".".join(letters(json.dumps(part).encode()) for part in ({"alg": alg, "kid": kid}, claims))
        return f"{text}.{letters(self.sign(alg, kid, text.encode()))}"

    def handler(self):
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def say(self, status, value):
                body = json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                issuer.asked.append(self.path)
                if self.path == "/.well-known/openid-configuration":
                    self.say(200, {"issuer": issuer.url, "jwks_uri": f"{issuer.url}/keys"})
                elif self.path == "/keys":
                    self.say(200, {"keys": [issuer.jwk(kid) for kid in issuer.keys]})
                else:
                    self.say(404, {})

            def do_POST(self):
                issuer.asked.append(self.path)
                said = self.rfile.read(int(self.headers["Content-Length"])).decode()
                token = urllib.parse.parse_qs(said).get("token", [""])[0]
                if self.headers.get("Authorization") != BASIC and "client_secret=s3" not in said:
                    self.say(401, {"error": "invalid_client"})
                else:
                    self.say(200, issuer.known.get(token, {"active": False}))

            def log_message(self, *_):
                pass
        return Handler

    def start(self):
        self.server.server_bind()
        self.server.server_activate()
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
