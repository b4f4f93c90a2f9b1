//! A SOAP request, read as strictly as Salesforce's parser does, or stricter.

use quick_xml::{NsReader, errors::IllFormedError, events::Event, name::ResolveResult};

use super::{Api, fault::Fault};

/// What stands in an envelope.
#[derive(Debug)]
pub(in crate::simulator) struct Call {
    /// The local name of the body's element, such as `login`.
    pub(in crate::simulator) operation: String,
    namespace: String,
    headers: Vec<Element>,
    fields: Vec<Element>,
}

#[derive(Debug)]
struct Element {
    namespace: String,
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Call {
    /// Reads an envelope.
    ///
    /// # Errors
    /// The fault that Salesforce would send.
    pub(in crate::simulator) fn parse(body: &[u8]) -> Result<Self, Fault> {
        let text = str::from_utf8(body)
            .map_err(|_| Fault::transport("soapenv:Client", "Invalid byte in the request"))?;
        let envelope = read_tree(text)?;
        if envelope.name != "Envelope" || envelope.namespace != ENVELOPE {
            return Err(no_soap("the root is no SOAP 1.1 Envelope"));
        }
        let mut headers = Vec::new();
        let mut calls = Vec::new();
        for part in envelope.children {
            match (part.namespace.as_str(), part.name.as_str()) {
                (ENVELOPE, "Header") => headers = part.children,
                (ENVELOPE, "Body") => calls.extend(part.children),
                _ => return Err(no_soap("an Envelope has a Header and a Body only")),
            }
        }
        match (calls.pop(), calls.pop()) {
            (Some(call), None) => Ok(Self {
                operation: call.name,
                namespace: call.namespace,
                headers,
                fields: call.children,
            }),
            _ => Err(no_soap("a Body has one call")),
        }
    }

    /// Whether the call and all its fields are in the namespace of the API.
    pub(in crate::simulator) fn belongs_to(&self, api: Api) -> bool {
        let namespace = api.namespace();
        self.namespace == namespace && self.fields.iter().all(|field| field.namespace == namespace)
    }

    /// The text of a field; of several, the last.
    pub(in crate::simulator) fn field(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().rfind(|field| field.name == name)?;
        Some(&field.text)
    }

    /// The names of the headers.
    pub(in crate::simulator) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|header| header.name.as_str())
    }

    /// The session id in the `SessionHeader`.
    pub(in crate::simulator) fn session_id(&self) -> Option<&str> {
        let header = self.headers.iter().find(|h| h.name == "SessionHeader")?;
        let id = header.children.iter().find(|c| c.name == "sessionId")?;
        Some(id.text.trim())
    }
}

fn read_tree(text: &str) -> Result<Element, Fault> {
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        let (namespace, event) = match reader.read_resolved_event() {
            Ok(read) => read,
            Err(quick_xml::Error::IllFormed(IllFormedError::UnclosedReference)) => {
                let ampersand = usize::try_from(reader.error_position()).unwrap_or_default();
                return Err(unclosed_reference(text.get(ampersand + 1..).unwrap_or("")));
            }
            Err(error) => return Err(malformed(&error.to_string())),
        };
        let closed = match event {
            Event::Start(start) => {
                if open.len() == DEEPEST {
                    return Err(malformed("elements nested too deep"));
                }
                open.push(Element::new(&namespace, start.local_name().as_ref()));
                None
            }
            Event::Empty(start) => Some(Element::new(&namespace, start.local_name().as_ref())),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                add(&mut open, &text.xml10_content())?;
                None
            }
            Event::CData(text) => {
                add(&mut open, &text.xml10_content())?;
                None
            }
            Event::GeneralRef(reference) => {
                let resolved = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => entity(&reference.into_inner())?,
                    Err(error) => return Err(malformed(&error.to_string())),
                };
                add(&mut open, resolved.encode_utf8(&mut [0; 4]))?;
                None
            }
            Event::DocType(_) => return Err(malformed("DOCTYPE is disallowed")),
            Event::Eof if open.is_empty() => {
                return root.ok_or_else(|| malformed("the document ends too early"));
            }
            Event::Eof => return Err(malformed("the document ends too early")),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => None,
        };
        match (closed, open.last_mut()) {
            (Some(element), Some(parent)) => parent.children.push(element),
            (Some(element), None) if root.is_none() => root = Some(element),
            (Some(_), None) => return Err(malformed("there is more than one root")),
            (None, _) => {}
        }
    }
}

impl Element {
    fn new(namespace: &ResolveResult<'_>, name: &str) -> Self {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => namespace.as_ref().to_owned(),
            ResolveResult::Unbound => String::new(),
            // No namespace that anybody expects.
            ResolveResult::Unknown(prefix) => format!("unbound prefix {prefix:?}"),
        };
        Self {
            namespace,
            name: name.to_owned(),
            text: String::new(),
            children: Vec::new(),
        }
    }
}

fn add(open: &mut [Element], text: &str) -> Result<(), Fault> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(malformed("there is text outside the root")),
    }
    Ok(())
}

fn entity(name: &str) -> Result<char, Fault> {
    match name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ if name.chars().all(is_name) => Err(malformed("an entity is not declared")),
        _ => Err(unclosed_reference(name)),
    }
}

/// An ampersand that was not escaped. The real parser repeats what follows it, be it a piece of a password.
fn unclosed_reference(following: &str) -> Fault {
    let name: String = following.chars().take_while(|c| is_name(*c)).collect();
    Fault::unknown_exception(&if name.is_empty() {
        "The entity name must immediately follow the '&' in the entity reference.".to_owned()
    } else {
        format!("The reference to entity \"{name}\" must end with the ';' delimiter.")
    })
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '.' | ':')
}

fn malformed(problem: &str) -> Fault {
    Fault::transport("soapenv:Client", &format!("XML document: {problem}"))
}

fn no_soap(problem: &str) -> Fault {
    Fault::transport(
        "soapenv:Client",
        &format!("No operation available: {problem}"),
    )
}

const ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";

/// Envelope, Body, call, field: nothing that is simulated needs more than twice that.
const DEEPEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(body: &str) -> String {
        format!(
            "<?xml version='1.0'?><e:Envelope xmlns:e='{ENVELOPE}' xmlns:u='urn:partner.soap.sforce.com'>\
             <e:Body>{body}</e:Body></e:Envelope>"
        )
    }

    #[test]
    fn hostile_documents_are_faults_and_never_a_call() {
        for (body, part) in [
            (String::new(), "ends too early"),
            ("<a>".to_owned(), "ends too early"),
            ("<a></b>".to_owned(), "XML document"),
            ("<a/>".to_owned(), "no SOAP 1.1 Envelope"),
            (envelope(""), "one call"),
            (envelope("<u:login/><u:login/>"), "one call"),
            (envelope(&"<u:a>".repeat(20)), "too deep"),
            (envelope("<u:login>&nbsp;</u:login>"), "not declared"),
            (envelope("<u:login>&#xD800;</u:login>"), "XML document"),
            (format!("<!DOCTYPE a>{}", envelope("<u:login/>")), "DOCTYPE"),
            (
                envelope("<u:login><u:password>Top&Clever</u:password></u:login>"),
                "\"Clever\" must end with the ';'",
            ),
            (envelope("<u:login>a & b</u:login>"), "immediately follow"),
            (
                envelope("<u:login>a&b c;</u:login>"),
                "\"b\" must end with the ';'",
            ),
            (format!("{}<a/>", envelope("<u:login/>")), "one root"),
            (
                format!("{}junk", envelope("<u:login/>")),
                "outside the root",
            ),
        ] {
            let fault = Call::parse(body.as_bytes()).unwrap_err();
            assert!(fault.message.contains(part), "{body}: {fault:?}");
        }
        assert!(Call::parse(b"\xff\xfe").is_err());
    }

    #[test]
    fn escapes_cdata_and_prefixes_are_understood() {
        let call = Call::parse(
            envelope(
                "<x:login xmlns:x='urn:partner.soap.sforce.com'><x:username>a&amp;b&#x21;</x:username>\
                 <u:password><![CDATA[<&>]]>é</u:password></x:login>",
            )
            .as_bytes(),
        )
        .unwrap();
        assert_eq!(call.operation, "login");
        assert_eq!(call.field("username"), Some("a&b!"));
        assert_eq!(call.field("password"), Some("<&>é"));
        assert!(call.belongs_to(Api::Partner) && !call.belongs_to(Api::Enterprise));
    }
}
