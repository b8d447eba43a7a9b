//! Mails that another program signed: dkimpy, as Debian's python3-dkim has it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use base64ct::{Base64, Encoding};
use invited::domain::trust::Checked;
use tempfile::TempDir;

use crate::said::not_run;
use crate::{MAIL, Scene, by_dkim, by_smtp};

/// Signs standard input: arguments are the key's file and the two canonical forms.
const SIGN: &str = "
import sys, dkim
key, head, body = sys.argv[1:]
mail = sys.stdin.buffer.read()
fields = [b'from', b'to', b'subject', b'date', b'reply-to']
sys.stdout.buffer.write(dkim.sign(mail, b's1', b'shop.example', open(key, 'rb').read(),
    canonicalize=(head.encode(), body.encode()), include_headers=fields))
";

#[tokio::test]
async fn what_dkimpy_signs_proves() {
    let test = "what_dkimpy_signs_proves";
    let python = "/usr/bin/python3";
    let has_dkim = Command::new(python).args(["-c", "import dkim"]).stderr(Stdio::null()).status();
    if !has_dkim.is_ok_and(|status| status.success()) {
        return not_run(test, "python3-dkim");
    }
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key.pem");
    let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let (private, public) = {
        use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
        use aws_lc_rs::signature::KeyPair as _;
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
        (Base64::encode_string(private.as_ref()), Base64::encode_string(public.as_ref()))
    };
    let lines = private.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect::<Vec<_>>();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    std::fs::write(&file, pem).unwrap();
    let scene = Scene::new().await;
    scene.dns.txt("s1._domainkey.shop.example", &format!("v=DKIM1; k=rsa; p={public}"));
    for head in ["simple", "relaxed"] {
        for body in ["simple", "relaxed"] {
            let mut signer = Command::new(python)
                .args(["-c", SIGN, file.to_str().unwrap(), head, body])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            signer.stdin.take().unwrap().write_all(MAIL.as_bytes()).unwrap();
            let signature = signer.wait_with_output().unwrap().stdout;
            let mail = format!("{}{MAIL}", String::from_utf8(signature).unwrap());
            let evidence = scene.evidence(&by_smtp(), "", &mail, &by_dkim()).await;
            let seen = &evidence.dkim[0];
            assert_eq!(
                (seen.checked, seen.unsigned.len(), seen.rsa_bits),
                (Checked::Pass, 0, Some(2048)),
                "{head} {body}"
            );
            let altered = mail.replace("anna@example.org", "victim@example.net");
            let evidence = scene.evidence(&by_smtp(), "", &altered, &by_dkim()).await;
            assert_eq!(evidence.dkim[0].checked, Checked::Fail);
        }
    }
}
