"""Hands mails in with smtplib, as tests/peers/python.rs tells it in JSON on standard input; says what came of each in a line of JSON."""

import json
import smtplib
import ssl
import sys

told = json.load(sys.stdin)


def connect():
    trust = ssl.create_default_context(cafile=told["trust"])
    way, where = told["way"], told["where"]
    if way == "lmtp":
        return smtplib.LMTP(where["host"], where["port"], local_hostname="mta.shop.example.com")
    kind = smtplib.SMTP_SSL if way == "tls" else smtplib.SMTP
    more = {"context": trust} if way == "tls" else {}
    # The name in the certificate is not the address's: connect by address, check the name.
    server = kind(local_hostname="mta.shop.example.com", **more)
    server._host = told["name"]
    code, text = server.connect(where["host"], where["port"])
    server._host = told["name"]
    assert code == 220, (code, text)
    if way == "starttls":
        server.starttls(context=trust)
    return server


def data(path):
    with open(path, "rb") as file:
        return file.read()


server = connect()
server.ehlo_or_helo_if_needed()
if told["login"]:
    server.user, server.password = told["login"]
    # smtplib tries CRAM-MD5 first and then what the server offers; this is the one that is asked for.
    mechanism = told["mechanism"]
    code, text = server.auth(mechanism, getattr(server, "auth_" + mechanism.lower()))
    assert code == 235, (code, text)
for mail in told["mails"]:
    try:
        options = ["BODY=8BITMIME"] + (["SMTPUTF8"] if mail["utf8"] else [])
        refused = server.sendmail(mail["from"], [told["to"]] + mail["more"], data(mail["file"]), options)
        print(json.dumps({"code": 250, "refused": {to: code for to, (code, _) in refused.items()}}))
    except smtplib.SMTPDataError as error:
        print(json.dumps({"code": error.smtp_code, "refused": {}}))
server.quit()
