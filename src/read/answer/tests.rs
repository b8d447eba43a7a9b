//! Answers in the shapes of mail systems that are met in the field, with invented shops and people.

use super::*;

/// The address of every customer here.
const ANNA: &str = "anna.lind@kund.example";
/// The Message-ID of every letter here.
const LETTER: &str = "<l17.nord@invited.example>";

/// A mail with this header section and body, in CRLF. `{to}` is the customer, `{id}` the letter's Message-ID.
fn mail(head: &str, body: &str) -> Vec<u8> {
    let text = format!("{}\nTo: bounce+token@in.example\nDate: Mon, 2 Mar 2026 09:00:00 +0000\n\n{body}", head.trim());
    text.replace("{to}", ANNA).replace("{id}", LETTER).replace('\n', "\r\n").into_bytes()
}

/// A `multipart/report` of a notice, status fields and the returned header fields.
fn report(from: &str, subject: &str, notice: &str, status: &str) -> Vec<u8> {
    let head = format!(
        "From: {from}\nSubject: {subject}\nAuto-Submitted: auto-replied\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"=b\""
    );
    let body = format!(
        "--=b\nContent-Type: text/plain; charset=utf-8\n\n{notice}\n\n--=b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; mx.example\n\n{status}\n\n--=b\nContent-Type: text/rfc822-headers\n\nFrom: Nord <order@nord.example>\n\
         To: {{to}}\nMessage-ID: {{id}}\nSubject: How was it?\n\n--=b--\n"
    );
    mail(&head, &body)
}

/// What an answer to Anna's letter is, and by which reason.
fn told(mail: &[u8]) -> String {
    let read = answer(mail);
    let customer = EmailAddress::parse(ANNA).expect("an address");
    let (kind, recipient) = read.kind_for(&customer, Some(LETTER));
    let status = recipient.and_then(|one| one.status).map(|status| format!(" {status}")).unwrap_or_default();
    let reason = recipient.and_then(|one| one.reason).map(|reason| format!(" {reason}")).unwrap_or_default();
    format!("{kind}{status}{reason}")
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of mails")]
fn reports_for_programs_are_read_with_their_faults() {
    let daemon = "Mail Delivery System <MAILER-DAEMON@mx.example>";
    for (name, subject, notice, status, expected) in [
        (
            "a server of today",
            "Undelivered Mail Returned to Sender",
            "<{to}>: host mx.kund.example[192.0.2.4] said: 550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table (in reply to RCPT TO command)",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
            "hard_bounce 5.1.1 no_such_address",
        ),
        (
            "forwarded by the customer to an address that is gone: the letter itself came back",
            "Undelivered Mail Returned to Sender",
            "<old@elsewhere.example>: unknown user",
            "Final-Recipient: rfc822; old@elsewhere.example\nAction: failed\nStatus: 5.1.1",
            "hard_bounce 5.1.1 no_such_address",
        ),
        (
            "a full box with the code for a dead address",
            "failure",
            "",
            "Final-Recipient: rfc822;{to}\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp;550 5.1.1 Mailbox is full",
            "soft_bounce 5.1.1 mailbox_full",
        ),
        (
            "a provider that says user unknown by access denied",
            "Undeliverable: How was it?",
            "",
            "Final-Recipient: rfc822;{to}\nAction: failed\nStatus: 5.4.1\nDiagnostic-Code: smtp;550 5.4.1 Recipient address rejected: Access denied. [mail.example]",
            "hard_bounce 5.4.1 no_such_address",
        ),
        (
            "our own fault: DMARC",
            "Undelivered Mail Returned to Sender",
            "",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.7.26\nDiagnostic-Code: smtp; 550-5.7.26 Unauthenticated email from nord.example is not accepted due to domain's DMARC policy.",
            "soft_bounce 5.7.26 refused_by_policy",
        ),
        (
            "a relay that is misconfigured",
            "Mail delivery failed",
            "",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.7.1\nDiagnostic-Code: smtp; 554 5.7.1 <{to}>: Relay access denied",
            "soft_bounce 5.7.1 refused_by_policy",
        ),
        (
            "no such domain",
            "Undelivered Mail Returned to Sender",
            "<{to}>: Host or domain name not found. Name service error for name=kund.example type=AAAA: Host not found",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.4.4\nDiagnostic-Code: X-Postfix; Host or domain name not found. Name service error for name=kund.example type=AAAA: Host not found",
            "hard_bounce 5.4.4 no_such_domain",
        ),
        (
            "given up after days",
            "Undelivered Mail Returned to Sender",
            "",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 4.4.1\nDiagnostic-Code: X-Postfix; connect to mx.kund.example[192.0.2.4]:25: Connection timed out",
            "soft_bounce 4.4.1 trouble_on_the_way",
        ),
        (
            "still trying",
            "Delayed Mail (still being retried)",
            "It will be retried until it is 5 days old.",
            "Final-Recipient: rfc822; {to}\nAction: delayed\nStatus: 4.4.1\nWill-Retry-Until: Sat, 7 Mar 2026 09:00:00 +0000",
            "delayed 4.4.1 trouble_on_the_way",
        ),
        (
            "still trying, without an action",
            "Warning: message delayed 24 hours",
            "Delivery attempts will continue to be made for some time.",
            "Final-Recipient: rfc822; {to}\nStatus: 4.0.0",
            "delayed 4.0.0 trouble_on_the_way",
        ),
        (
            "delivered",
            "Successful Mail Delivery Report",
            "",
            "Final-Recipient: rfc822; {to}\nAction: delivered\nStatus: 2.0.0",
            "delivered 2.0.0",
        ),
        (
            "relayed",
            "Delivery Notification",
            "",
            "Final-Recipient: rfc822; {to}\nAction: relayed (to non-DSN-aware mailer)\nStatus: 2.1.9",
            "delivered 2.1.9",
        ),
        (
            "nobody says why",
            "Mail delivery failed",
            "",
            "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 554 transaction failed",
            "unclear_bounce 5.0.0",
        ),
        (
            "in words of the notice alone, in German",
            "Unzustellbar: How was it?",
            "Die E-Mail-Adresse wurde im System des Empf\u{e4}ngers nicht gefunden.",
            "Final-Recipient: rfc822;{to}\nAction: failed\nStatus: 5.0.0",
            "hard_bounce 5.0.0 no_such_address",
        ),
        (
            "an address in UTF-8, escaped",
            "Undelivered Mail Returned to Sender",
            "",
            "Original-Recipient: utf-8; {to}\nFinal-Recipient: utf-8; \\x{E5}sa@kund.example\nAction: failed\nStatus: 5.6.7",
            "soft_bounce 5.6.7 refused_by_policy",
        ),
    ] {
        assert_eq!(told(&report(daemon, subject, notice, status)), expected, "{name}");
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of mails")]
fn notices_for_people_are_read_by_their_words() {
    let letter = "Return-Path: <bounce+token@in.example>\nFrom: Nord <order@nord.example>\nTo: {to}\nMessage-ID: {id}\nSubject: How was it?\n\nDear Anna";
    let page = |text: &str| format!("<html><body><style>p {{ color: red }}</style>{text}</body></html>");
    for (name, head, notice, expected) in [
        (
            "indented addresses, the reason after a colon",
            "X-Failed-Recipients: {to}\nFrom: Mail Delivery System <Mailer-Daemon@mx.example>\nSubject: Mail delivery failed: returning message to sender",
            "This message was created automatically by mail delivery software.\n\nA message that you sent could not be delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  {to}\n    host mx.kund.example [192.0.2.4]\n    SMTP error from remote mail server after RCPT TO:<{to}>:\n    550 5.1.1 The email account that you tried to reach does not exist\n\n------ This is a copy of the message, including all the headers. ------\n".to_owned(),
            "hard_bounce 5.1.1 no_such_address",
        ),
        (
            "unrouteable",
            "X-Failed-Recipients: {to}\nFrom: Mail Delivery System <Mailer-Daemon@mx.example>\nSubject: Mail delivery failed: returning message to sender",
            "A message that you sent could not be delivered. The following address(es) failed:\n\n  {to}\n    Unrouteable address\n\n------ This is a copy of your message ------\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "address and colon on a line",
            "From: MAILER-DAEMON@mx.example\nSubject: failure notice",
            "Hi. This is the qmail-send program at mx.example.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<{to}>:\n192.0.2.4 failed after I sent the message.\nRemote host said: 552 5.2.2 Quota exceeded\n\n--- Below this line is a copy of the message.\n".to_owned(),
            "soft_bounce 5.2.2 mailbox_full",
        ),
        (
            "a server behind a list of tries",
            "From: \"Mail Administrator\" <postmaster@mx.example>\nSubject: Mail System Error - Returned Mail",
            "This Message was undeliverable due to the following reason:\n\nYour message was not delivered because the destination computer was\nnot reachable within the allowed queue period.\n\nThe following recipients did not receive this message:\n\n     <{to}>\n\nPlease reply to postmaster@mx.example if you feel this message to be in error.\n".to_owned(),
            "unclear_bounce",
        ),
        (
            "a groupware of the nineties",
            "From: Postmaster <Postmaster@notes.example>\nSubject: DELIVERY FAILURE: User annalind (annalind@kund.example) not listed in Domino Directory",
            "Your message\n\n  Subject: How was it?\n\nwas not delivered to:\n\n  {to}\n\nbecause:\n\n  User anna.lind ({to}) not listed in Domino Directory\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "a gateway of the cloud",
            "From: Mail Delivery System <postmaster@gate.example>\nSubject: [Postmaster] Email Delivery Failure",
            "This is a delivery failure notification message indicating that\nan email you addressed to email address :\n-- {to}\n\ncould not be delivered. The problem appears to be :\n-- Recipient email address is possibly incorrect\n\nAdditional information follows :\n-- 5.1.1 User Unknown\n\nThis condition occurred after 1 attempt(s) to deliver over\na period of 0 hour(s).\n".to_owned(),
            "hard_bounce 5.1.1 no_such_address",
        ),
        (
            "a mail server for offices, with a transcript",
            "From: MAILER-DAEMON@office.example\nSubject: Permanent Delivery Failure",
            "Failed address: {to}\n\n--- Session Transcript ---\n--> RCPT To:<{to}>\n<-- 550 <{to}>, Recipient unknown\n--- End Transcript ---\n\n: Message contains [1] file attachments\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "a small server in words only",
            "From: mailer-daemon@small.example\nSubject: Message undeliverable: How was it?",
            "Your message did not reach some or all of the intended recipients.\n\n   Sent: Mon, 2 Mar 2026 10:00:00 +0100\n   Subject: How was it?\n\nThe following recipient(s) could not be reached:\n\n{to}\n   Error Type: SMTP\n   Remote server (192.0.2.4) issued an error.\n   hMailServer sent: RCPT TO:<{to}>\n   Remote server replied: 550 No such user here\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "a full box in French",
            "From: MAILER-DAEMON@fai.example\nSubject: =?utf-8?Q?=C3=89chec_de_la_remise?=\nContent-Type: text/plain; charset=utf-8",
            "Votre message n'a pas pu \u{ea}tre remis au destinataire suivant :\n\n{to}\n\nLa bo\u{ee}te aux lettres du destinataire est pleine.\n".to_owned(),
            "soft_bounce mailbox_full",
        ),
        (
            "a large provider's page in German",
            "From: Mail Delivery System <mailer-daemon@post.example>\nSubject: Mail delivery failed: returning message to sender\nContent-Type: text/html; charset=utf-8",
            page("<p>Ihre Nachricht konnte nicht zugestellt werden.</p><p>{to}:</p><p>550 Requested action not taken: mailbox unavailable</p>"),
            "hard_bounce no_such_address",
        ),
        (
            "a provider in Chinese",
            "From: PostMaster <PostMaster@qq.example>\nSubject: =?utf-8?B?57O757uf6YCA5L+h?=\nContent-Type: text/plain; charset=utf-8",
            "\u{5f88}\u{62b1}\u{6b49}\u{ff0c}\u{60a8}\u{53d1}\u{9001}\u{7684}\u{90ae}\u{4ef6}\u{65e0}\u{6cd5}\u{6295}\u{9012}\n{to}\n\u{6536}\u{4ef6}\u{4eba}\u{90ae}\u{7bb1}\u{4e0d}\u{5b58}\u{5728}\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "a mobile carrier of Japan",
            "From: Mail Administrator <mailer-daemon@carrier.example>\nSubject: Mail System Error - Returned Mail",
            "Your message was not delivered to the following recipients:\n\n  {to}: unknown user account\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "a provider in Russian",
            "From: mailer-daemon@pochta.example\nSubject: =?utf-8?B?0J3QtSDQtNC+0YHRgtCw0LLQu9C10L3Qvg==?=\nContent-Type: text/plain; charset=utf-8",
            "\u{41f}\u{438}\u{441}\u{44c}\u{43c}\u{43e} \u{43d}\u{435} \u{434}\u{43e}\u{441}\u{442}\u{430}\u{432}\u{43b}\u{435}\u{43d}\u{43e}: {to}\n\u{42f}\u{449}\u{438}\u{43a} \u{43f}\u{435}\u{440}\u{435}\u{43f}\u{43e}\u{43b}\u{43d}\u{435}\u{43d}\n".to_owned(),
            "soft_bounce mailbox_full",
        ),
        (
            "an account that was closed",
            "From: MAILER-DAEMON@large.example\nSubject: Failure Notice",
            "Sorry, we were unable to deliver your message to the following address.\n\n<{to}>:\n554: delivery error: dd This user doesn't have a large.example account ({to}) [0] - mta1.large.example\n\n--- Below this line is a copy of the message.\n".to_owned(),
            "hard_bounce no_such_address",
        ),
        (
            "taken for junk",
            "From: Mail Delivery Subsystem <mailer-daemon@large.example>\nSubject: Delivery Status Notification (Failure)",
            "Delivery to the following recipient failed permanently:\n\n     {to}\n\nThe error that the other server returned was:\n550 High probability of spam; message rejected\n\n----- Original message -----\n".to_owned(),
            "soft_bounce refused_by_policy",
        ),
        (
            "a warning",
            "From: Mail Delivery System <Mailer-Daemon@mx.example>\nSubject: Warning: message 1tP delayed 24 hours",
            "A message that you sent has not yet been delivered to one or more of its recipients after more than 24 hours on the queue.\n\nThe address to which the message has not yet been delivered is:\n\n  {to}\n\nNo action is required on your part. Delivery attempts will continue for some time.\n".to_owned(),
            "delayed",
        ),
        (
            "somebody else's address, and nothing of our letter",
            "From: MAILER-DAEMON@mx.example\nSubject: failure notice",
            "I wasn't able to deliver your message to the following addresses.\n\n<somebody@else.example>:\nno such user\n".to_owned(),
            "unmatched",
        ),
    ] {
        let returned = if expected == "unmatched" { "" } else { letter };
        assert_eq!(told(&mail(head, &format!("{notice}\n{returned}"))), expected, "{name}");
    }
}

#[test]
fn complaints_are_told_from_other_reports() {
    let feedback = |fields: &str| {
        mail(
            "From: fbl@large.example\nSubject: FW: How was it?\nMIME-Version: 1.0\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"=b\"",
            &format!(
                "--=b\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n--=b\nContent-Type: message/feedback-report\n\n{fields}\n\n\
                 --=b\nContent-Type: message/rfc822\n\nFrom: order@nord.example\nTo: undisclosed\nMessage-ID: {{id}}\nSubject: How was it?\n\nHi\n\n--=b--\n"
            ),
        )
    };
    assert_eq!(told(&feedback("Feedback-Type: abuse\nUser-Agent: x/1.0\nVersion: 1")), "complaint");
    assert_eq!(told(&feedback("Feedback-Type: opt-out\nVersion: 1\nOriginal-Rcpt-To: <{to}>")), "complaint");
    assert_eq!(told(&feedback("User-Agent: x/1.0")), "complaint");
    assert_eq!(told(&feedback("Feedback-Type: auth-failure")), "report");
    assert_eq!(told(&feedback("Feedback-Type: not-spam")), "report");
    let junk = mail(
        "From: staff@hotmail.example\nSubject: complaint about message from 192.0.2.7\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"=b\"",
        "--=b\nContent-Type: message/rfc822\n\nX-HmXmrOriginalRecipient: <{to}>\nFrom: order@nord.example\nSubject: How was it?\n\nHi\n\n--=b--\n",
    );
    assert_eq!(told(&junk), "complaint");
}

#[test]
fn automatic_answers_and_people_are_no_bounces() {
    for (name, head, body, expected) in [
        (
            "RFC 3834",
            "From: Anna <{to}>\nSubject: Re: How was it?\nAuto-Submitted: auto-replied",
            "I could not be reached; mail to {to} is not delivered to me this week.",
            "auto_reply",
        ),
        ("a vacation of old", "From: {to}\nSubject: Re: How was it?\nPrecedence: auto_reply", "Gone.", "auto_reply"),
        ("Swedish", "From: {to}\nSubject: Automatiskt svar: How was it?", "Jag \u{e4}r ledig.", "auto_reply"),
        (
            "German",
            "From: {to}\nSubject: Automatische Antwort: How was it?",
            "Diese Adresse existiert nicht mehr; schreiben Sie an neu@kund.example.",
            "auto_reply",
        ),
        ("Japanese", "From: {to}\nSubject: =?utf-8?B?6Ieq5YuV5b+c562UOiBIb3cgd2FzIGl0Pw==?=", "x", "auto_reply"),
        ("Polish", "From: {to}\nSubject: =?utf-8?Q?Odpowied=C5=BA_automatyczna=3A?= How was it?", "x", "auto_reply"),
        (
            "a ticket",
            "From: support@kund.example\nSubject: [#123] How was it?\nAuto-Submitted: auto-generated\nX-Autoreply: yes",
            "We have your mail.",
            "auto_reply",
        ),
        (
            "a person",
            "From: Anna <{to}>\nSubject: Re: How was it?",
            "The lamp was not delivered! I am unable to deliver it to my sister {to}.",
            "written",
        ),
        ("a person who forwards a bounce", "From: Anna <{to}>\nSubject: Fwd: hello", "see below", "written"),
        (
            "an order mail",
            "From: Shop <order@nord.example>\nSubject: Your order 1001",
            "Your order could not be delivered. {to}",
            "written",
        ),
        ("nothing", "From: x\nSubject:", "", "written"),
    ] {
        assert_eq!(told(&mail(head, body)), expected, "{name}");
    }
}

#[test]
fn what_is_no_mail_at_all_is_read_too() {
    for bytes in [&b""[..], b"\r\n", b"From ", b"\xff\xfe\x00", b"Subject: failure notice\r\n\r\n\xff@\xff.\xff <@> @@"]
    {
        assert!(matches!(answer(bytes).says, Says::Written | Says::Failed(_)));
    }
    let many = format!(
        "From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n{}",
        "<a@b.example>:\r\n".repeat(20_000)
    );
    assert!(matches!(answer(many.as_bytes()).says, Says::Failed(recipients) if recipients.len() == 1));
}

#[test]
fn the_mail_that_unsubscribes_is_known_in_the_ways_that_programs_send_it() {
    for (subject, more, body, expected) in [
        ("unsubscribe", "", "", "unsubscribed"),
        ("Unsubscribe", "", "This message was automatically generated by a mail program.\n", "unsubscribed"),
        ("UNSUBSCRIBE 4711", "", "\n", "unsubscribed"),
        ("unsubscribe", "\nAuto-Submitted: auto-generated", "", "unsubscribed"),
        ("", "", "unsubscribe\n", "unsubscribed"),
        ("Re: How was it?", "", "\n\nUnsubscribe.\n\n", "unsubscribed"),
        ("Re: How was it?", "", "Unsubscribe me from what?\n", "written"),
        ("Re: How was it?", "", "Great!\nUnsubscribe\n", "written"),
        ("Unsubscribed customers", "", "", "written"),
        ("How do I unsubscribe", "", "", "written"),
        ("Automatic reply: unsubscribe", "\nAuto-Submitted: auto-replied", "", "auto_reply"),
    ] {
        let head = format!("From: Anna <{{to}}>\nSubject: {subject}{more}");
        assert_eq!(told(&mail(&head, body)), expected, "{subject:?} {body:?}");
    }
    let subject = "unsubscribe";
    let status = "Final-Recipient: rfc822; {to}\nAction: failed\nStatus: 5.1.1";
    let bounce = report("MAILER-DAEMON@mx.example", subject, "unknown user", status);
    assert_eq!(told(&bounce), "hard_bounce 5.1.1 no_such_address", "a report is a report");
}
