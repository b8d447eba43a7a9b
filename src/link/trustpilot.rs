//! Links by which Trustpilot knows a shop's customers: Business Generated Links, and the older Unique Links. Byte for byte as
//! Trustpilot's own libraries make them; who checks them is Trustpilot, so nothing here may be changed to taste.

use std::fmt;

use base64ct::{Base64, Encoding};
use percent_encoding::utf8_percent_encode;
use serde::Serialize;
use sha1::{Digest, Sha1};

use super::pattern::RESERVED;
use super::sealed::SealKeys;
use crate::domain::{EmailAddress, OrderReference, PersonName, hex};

/// A shop's page at Trustpilot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustpilotPage {
    /// The shop's domain as it is registered there.
    pub domain: String,
    /// The language version, what stands before `trustpilot.com`: `de`, `fr-be`; `www` without.
    pub locale: Option<String>,
}

impl TrustpilotPage {
    /// The link that anybody may have: Trustpilot asks who writes.
    pub fn for_everybody(&self) -> String {
        self.address("evaluate")
    }

    fn address(&self, path: &str) -> String {
        format!("https://{}.trustpilot.com/{path}/{}", self.locale.as_deref().unwrap_or("www"), self.domain)
    }
}

/// The customer and the order of one link.
#[derive(Clone, Copy)]
pub struct LinkedOrder<'a> {
    /// The customer.
    pub email: &'a EmailAddress,
    /// The customer's name. Where it is not known an empty one goes into the link: a made-up one would stand above the review.
    pub name: Option<&'a PersonName>,
    /// The order. Trustpilot takes one review for each.
    pub reference: &'a OrderReference,
    /// The article numbers of what was ordered, for product reviews.
    pub skus: &'a [&'a str],
}

/// Makes Business Generated Links (help.trustpilot.com, "Business Generated Links").
#[derive(Clone)]
pub struct BusinessGenerated {
    page: TrustpilotPage,
    tags: Vec<String>,
    keys: SealKeys,
}

/// What is sealed. The order of the fields is that of Trustpilot's examples.
#[derive(Serialize)]
struct Payload<'a> {
    email: &'a str,
    name: &'a str,
    #[serde(rename = "ref")]
    reference: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    skus: &'a [&'a str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
}

impl BusinessGenerated {
    /// Takes the two keys as Trustpilot Business shows them, 32 octets each, in base64, and words that the reviews shall carry there;
    /// no blanks in them.
    ///
    /// # Errors
    /// Which of them is no such key, in words that repeat nothing of it.
    pub fn new(
        page: TrustpilotPage,
        tags: Vec<String>,
        encrypt_key: &str,
        auth_key: &str,
    ) -> Result<Self, NoTrustpilotKey> {
        let key = |text: &str| Base64::decode_vec(text.trim()).ok().and_then(|key| key.try_into().ok());
        let encrypt = key(encrypt_key).ok_or(NoTrustpilotKey::Encrypt)?;
        let authenticate = key(auth_key).ok_or(NoTrustpilotKey::Authenticate)?;
        Ok(Self { page, tags, keys: SealKeys { encrypt, authenticate } })
    }

    /// Where its links lead.
    pub fn page(&self) -> &TrustpilotPage {
        &self.page
    }

    /// The link for one customer; `iv` must be random.
    pub fn link(&self, order: &LinkedOrder<'_>, iv: [u8; 16]) -> String {
        let payload = Payload {
            email: order.email.as_str(),
            name: order.name.map_or("", PersonName::as_str),
            reference: order.reference.as_str(),
            skus: order.skus,
            tags: &self.tags,
        };
        let text = serde_json::to_vec(&payload).expect("texts are always JSON");
        let sealed = Base64::encode_string(&self.keys.seal(&[], iv, &text));
        format!("{}?p={}", self.page.address("evaluate-bgl"), utf8_percent_encode(&sealed, RESERVED))
    }
}

/// Makes Unique Links, the older kind: the customer's address stands in them, readable for whoever sees the URL.
#[derive(Clone)]
pub struct UniqueLink {
    page: TrustpilotPage,
    secret: String,
}

impl UniqueLink {
    /// With the secret that Trustpilot gave the shop.
    pub fn new(page: TrustpilotPage, secret: String) -> Self {
        Self { page, secret }
    }

    /// Where its links lead.
    pub fn page(&self) -> &TrustpilotPage {
        &self.page
    }

    /// The link for one customer.
    pub fn link(&self, order: &LinkedOrder<'_>) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        let (email, reference) = (order.email.as_str(), order.reference.as_str());
        let hash = hex(&Sha1::new().chain_update(&self.secret).chain_update(email).chain_update(reference).finalize());
        format!(
            "{}?a={}&b={}&c={}&e={hash}",
            self.page.address("evaluate"),
            encoded(reference),
            encoded(&Base64::encode_string(email.as_bytes())),
            encoded(order.name.map_or("", PersonName::as_str)),
        )
    }
}

/// A text that is no key of Trustpilot's: which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTrustpilotKey {
    /// The one that seals.
    #[error("is no encrypt key: 32 octets in base64")]
    Encrypt,
    /// The one that signs.
    #[error("is no auth key: 32 octets in base64")]
    Authenticate,
}

/// Without the keys.
impl fmt::Debug for BusinessGenerated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BusinessGenerated").field(&self.page).finish()
    }
}

/// Without the secret.
impl fmt::Debug for UniqueLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UniqueLink").field(&self.page).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(domain: &str, locale: Option<&str>) -> TrustpilotPage {
        TrustpilotPage { domain: domain.to_owned(), locale: locale.map(str::to_owned) }
    }

    /// The keys of Trustpilot's example in JavaScript.
    const ENCRYPT: &str = "XCxIAot+Tr6FVbU5fROwe2ckBEoFDcb6gwBT8022oVs=";
    const AUTH: &str = "wNh58yFZ58H+QPomgWkgPqM3JZegQqpg39k06Q4ZvrA=";

    fn iv() -> [u8; 16] {
        std::array::from_fn(|n| u8::try_from(n).unwrap())
    }

    fn made(locale: Option<&str>, tags: &[&str], email: &str, name: &str, reference: &str, skus: &[&str]) -> String {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let maker = BusinessGenerated::new(page("my-domain.com", locale), tags, ENCRYPT, AUTH).unwrap();
        let (email, reference) = (EmailAddress::parse(email).unwrap(), OrderReference::parse(reference).unwrap());
        let name = PersonName::parse(name);
        maker.link(&LinkedOrder { email: &email, name: name.as_ref(), reference: &reference, skus }, iv())
    }

    fn sealed(link: &str) -> String {
        let p = link.split_once("?p=").unwrap().1;
        assert!(!p.contains(['+', '/', '=', '&']), "{p}");
        percent_encoding::percent_decode_str(p).decode_utf8().unwrap().into_owned()
    }

    /// The payload of Trustpilot's example, sealed with a known vector; OpenSSL and PyCryptodome make the same.
    #[test]
    fn a_business_generated_link_is_that_of_the_vector_byte_for_byte() {
        let skus = ["sku1", "sku2", "sku3"];
        let link = made(None, &["tag1", "tag2", "tag3"], "xyz@domain.com", "John Smith", "1234", &skus);
        assert!(
            link.starts_with("https://www.trustpilot.com/evaluate-bgl/my-domain.com?p=AAECAwQFBgcICQoLDA0OD6aYnTp5")
        );
        assert_eq!(
            sealed(&link),
            "AAECAwQFBgcICQoLDA0OD6aYnTp5MTzH20LK37rMC3ZyFDibGHfa2FHuI3GzU8SGso1Fhfa0wFNq5f9Q2yvQUYt9NWm90tKOPktWvWJn9QjN\
             L/3tj+CRvBo4UNuWK/sPCtudofkykx4h2orkPaN6WcbTZINYN/9zw0Pa8wZfFLQ84xo/AKSRvUVxz/aMB2dFCrfa4ritCBtpKQ/UeUvRG9Ms\
             t2a8bdEW9UaM4Ayh/uU="
        );
    }

    /// Made with: openssl enc -aes-256-cbc, then openssl dgst -sha256 -mac HMAC, with the keys above in hexadecimal, over
    /// `{"email":"o'neill+a@customer.example","name":"Åsa \"Ace\" O'Neill & <b>茶</b>","ref":"A/1?x=#2&y=\"\\"}`
    #[test]
    fn hostile_names_are_data_in_a_business_generated_link() {
        let name = "Åsa \"Ace\" O'Neill & <b>茶</b>";
        let link = made(Some("de"), &[], "o'neill+a@customer.example", name, "A/1?x=#2&y=\"\\", &[]);
        assert!(link.starts_with("https://de.trustpilot.com/evaluate-bgl/my-domain.com?p="), "{link}");
        assert_eq!(
            sealed(&link),
            "AAECAwQFBgcICQoLDA0OD+DSPUyCvpK2gkrPSVE94/HUPWLjIFFAIwb/KQ+rBYqDVDTizOcC9cFdqPDD2T+OGn8aJBnHNhhKP0DzAGLw1bNa1R+/ucFWhGVBgaaT65z0hPlJzT3ivdcTu0xSmHAB02N4Yql7aMzLTGE8riiP7FdQcfs4jgS4ugaXpuSYpsa5PBn255dSN3vW/NR+rjMn9g=="
        );
        let nameless = made(None, &[], "a@customer.example", "", "1", &[]);
        assert_eq!(
            sealed(&nameless),
            "AAECAwQFBgcICQoLDA0OD0PvfH9mUVBTuEyLMur/ceK/eSyNYBHqP1CzukLPOWuc4nnUvgKPee884R8RXY8b3WM1f+GAKWCg6CZ3GbViCFJ8iM6Qp+cr1xNvkmBGebIg9jcSIz9LkuG1slxUyejMSQ==",
            "an empty name"
        );
    }

    #[test]
    fn what_is_no_key_of_trustpilots_is_told_without_repeating_it() {
        for (encrypt, auth, which) in [
            ("c2hvcnQ=", AUTH, NoTrustpilotKey::Encrypt),
            (ENCRYPT, "not base64!", NoTrustpilotKey::Authenticate),
            ("", AUTH, NoTrustpilotKey::Encrypt),
        ] {
            let error = BusinessGenerated::new(page("d.example", None), Vec::new(), encrypt, auth).unwrap_err();
            assert_eq!(error, which);
        }
        let maker = BusinessGenerated::new(page("d.example", None), Vec::new(), ENCRYPT, AUTH).unwrap();
        let unique = UniqueLink::new(page("d.example", None), "mykey12".to_owned());
        let shown = format!("{maker:?} {unique:?}");
        assert!(!shown.contains("mykey12") && !shown.contains("44, 72"), "{shown}");
    }

    /// The hash of the first is in Trustpilot's guide; of the others: printf %s SECRET EMAIL REFERENCE | openssl sha1
    #[test]
    fn a_unique_link_is_that_of_the_guide() {
        for (locale, email, name, reference, expected) in [
            (
                None,
                "email@email.com",
                "John Doe",
                "1234",
                "https://www.trustpilot.com/evaluate/my-domain.com?a=1234&b=ZW1haWxAZW1haWwuY29t&c=John%20Doe\
                 &e=b232dc87ad2a699763720a29f5b3db2df6f80dfd",
            ),
            (
                Some("fr-be"),
                "o'neill+a@customer.example",
                "Åsa \"Ace\" O'Neill & <b>茶</b>",
                "A/1?x=#2&y=",
                "https://fr-be.trustpilot.com/evaluate/my-domain.com?a=A%2F1%3Fx%3D%232%26y%3D\
                 &b=byduZWlsbCthQGN1c3RvbWVyLmV4YW1wbGU%3D\
                 &c=%C3%85sa%20%22Ace%22%20O%27Neill%20%26%20%3Cb%3E%E8%8C%B6%3C%2Fb%3E\
                 &e=da671e7cf33358f2168efc4e1950e0452a58a319",
            ),
        ] {
            let maker = UniqueLink::new(page("my-domain.com", locale), "mykey12".to_owned());
            let (email, reference) = (EmailAddress::parse(email).unwrap(), OrderReference::parse(reference).unwrap());
            let name = PersonName::parse(name);
            let order = LinkedOrder { email: &email, name: name.as_ref(), reference: &reference, skus: &[] };
            assert_eq!(maker.link(&order), expected);
        }
    }
}
