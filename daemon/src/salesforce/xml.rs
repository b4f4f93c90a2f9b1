//! XML as far as SOAP needs it: a small bounded tree, and text that survives the way there.
//!
//! Hazards: entity expansion, external entities, depth, and two parsers that disagree about a comment
//! inside a text. So a document type or processing instruction is refused, only the five predefined
//! entities and character references are resolved, and a text is all of its pieces joined.

use quick_xml::{
    Reader,
    escape::resolve_predefined_entity,
    events::{BytesStart, Event},
};

use super::buffer::WipedBuffer;

/// An element with all that is in it. Names are without their prefix; the text may be secret.
pub(super) struct Element {
    pub(super) name: String,
    nil: bool,
    text: WipedBuffer,
    children: Vec<Self>,
}

/// Not a document that is read here; the text says why and quotes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(pub(super) &'static str);

/// A SOAP answer is 5 deep and has some 40 elements.
const DEPTH: usize = 32;
const ELEMENTS: usize = 2_000;

impl Element {
    /// Reads a document; its root.
    pub(super) fn parse(document: &[u8]) -> Result<Self, Malformed> {
        let text = std::str::from_utf8(document).map_err(|_| Malformed("it is not UTF-8"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut elements = 0_usize;
        loop {
            let event = reader
                .read_event()
                .map_err(|_| Malformed("it is not well-formed XML"))?;
            let closed = match event {
                Event::Start(tag) | Event::Empty(tag) if root.is_some() => {
                    drop(tag);
                    return Err(Malformed("it has more than one root element"));
                }
                Event::Start(tag) => {
                    elements += 1;
                    if open.len() >= DEPTH || elements > ELEMENTS {
                        return Err(Malformed("it has too many elements"));
                    }
                    open.push(Self::opened(&tag)?);
                    None
                }
                Event::Empty(tag) => {
                    elements += 1;
                    if open.len() >= DEPTH || elements > ELEMENTS {
                        return Err(Malformed("it has too many elements"));
                    }
                    Some(Self::opened(&tag)?)
                }
                Event::End(_) => open.pop(),
                Event::Text(text) => {
                    append(&mut open, &text.into_inner())?;
                    None
                }
                Event::CData(text) => {
                    append(&mut open, &text.into_inner())?;
                    None
                }
                Event::GeneralRef(reference) => {
                    let unknown = Malformed("it has an entity that is not predefined");
                    let resolved = reference.resolve_char_ref().map_err(|_| unknown)?;
                    match resolved {
                        Some(c) if is_xml_char(c) => append(&mut open, c.encode_utf8(&mut [0; 4]))?,
                        Some(_) => return Err(Malformed("it has a character that XML forbids")),
                        None => {
                            let text = resolve_predefined_entity(&reference).ok_or(unknown)?;
                            append(&mut open, text)?;
                        }
                    }
                    None
                }
                Event::Comment(_) | Event::Decl(_) => None,
                Event::DocType(_) | Event::PI(_) => {
                    return Err(Malformed(
                        "it has a document type or processing instruction",
                    ));
                }
                Event::Eof if open.is_empty() => {
                    return root.ok_or(Malformed("it has no element"));
                }
                Event::Eof => return Err(Malformed("it ends too early")),
            };
            if let Some(element) = closed {
                match open.last_mut() {
                    Some(parent) => parent.children.push(element),
                    None => root = Some(element),
                }
            }
        }
    }

    /// The only child of this name; one that is nil counts as absent.
    pub(super) fn child(&self, name: &str) -> Result<Option<&Self>, Malformed> {
        let mut named = self.children.iter().filter(|child| child.name == name);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(Malformed("an element that must be unique is there twice")),
            (child, None) => Ok(child.filter(|child| !child.nil)),
        }
    }

    /// The only child of this name, which must be there, without the rest.
    pub(super) fn into_child(mut self, name: &str) -> Result<Self, Malformed> {
        self.children.retain(|child| child.name == name);
        self.into_only_child()
    }

    /// The only child, whatever its name.
    pub(super) fn into_only_child(mut self) -> Result<Self, Malformed> {
        match (self.children.pop(), self.children.is_empty()) {
            (Some(child), true) => Ok(child),
            (Some(_) | None, _) => Err(Malformed(
                "it does not have exactly one element where there must be one",
            )),
        }
    }

    /// The first child, whatever its name.
    pub(super) fn first_child(&self) -> Option<&Self> {
        self.children.first()
    }

    /// The text of the only child of this name, as it stands; `None` if it is absent, nil or empty.
    pub(super) fn text_of(&self, name: &str) -> Result<Option<&str>, Malformed> {
        match self.child(name)? {
            Some(child) if !child.children.is_empty() => {
                Err(Malformed("it has elements where only text may be"))
            }
            Some(child) => Ok(Some(child.text()).filter(|text| !text.is_empty())),
            None => Ok(None),
        }
    }

    fn text(&self) -> &str {
        // Only whole `str`s were pushed.
        std::str::from_utf8(self.text.as_ref()).unwrap_or_default()
    }

    fn opened(tag: &BytesStart<'_>) -> Result<Self, Malformed> {
        let mut nil = false;
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|_| Malformed("it has a malformed attribute"))?;
            if attribute.key.local_name().as_ref() == "nil" {
                nil = matches!(attribute.value.trim(), "true" | "1");
            }
        }
        Ok(Self {
            name: tag.local_name().as_ref().to_owned(),
            nil,
            text: WipedBuffer::default(),
            children: Vec::new(),
        })
    }
}

/// Appends a text so that a reader of the XML gets it back unchanged: markup becomes entities, and the
/// white space that a reader would normalise becomes character references.
pub(super) fn push_escaped(text: &str, out: &mut WipedBuffer) -> Result<(), NotXml> {
    for c in text.chars() {
        match c {
            '&' => out.push(b"&amp;"),
            '<' => out.push(b"&lt;"),
            '>' => out.push(b"&gt;"),
            '"' => out.push(b"&quot;"),
            '\'' => out.push(b"&apos;"),
            '\t' => out.push(b"&#9;"),
            '\n' => out.push(b"&#10;"),
            '\r' => out.push(b"&#13;"),
            c if is_xml_char(c) => out.push_char(c),
            _ => return Err(NotXml),
        }
    }
    Ok(())
}

/// The text has a character that XML 1.0 can't carry, not even as a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotXml;

/// XML 1.0, production 2 (`Char`).
fn is_xml_char(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn append(open: &mut [Element], text: &str) -> Result<(), Malformed> {
    match open.last_mut() {
        Some(element) => {
            element.text.push(text.as_bytes());
            Ok(())
        }
        None if text.trim().is_empty() => Ok(()),
        None => Err(Malformed("it has text outside the root element")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(document: &str) -> &'static str {
        Element::parse(document.as_bytes())
            .map(|_| ())
            .unwrap_err()
            .0
    }

    /// T38.
    #[test]
    fn hostile_documents_are_refused() {
        let laughs = "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        let external = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
        let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
        let deeper_than_soap = format!("{}{}", "<a>".repeat(33), "</a>".repeat(33));
        let wide = format!("<a>{}</a>", "<b/>".repeat(100_000));
        for (document, expected) in [
            (laughs, "it has a document type or processing instruction"),
            (external, "it has a document type or processing instruction"),
            (
                "<?xml-stylesheet href=\"x\"?><a/>",
                "it has a document type or processing instruction",
            ),
            ("<a>&c;</a>", "it has an entity that is not predefined"),
            ("<a>&#0;</a>", "it has an entity that is not predefined"),
            ("<a>&#xFFFE;</a>", "it has a character that XML forbids"),
            (&deep, "it has too many elements"),
            (&deeper_than_soap, "it has too many elements"),
            (&wide, "it has too many elements"),
            ("", "it has no element"),
            ("text", "it has text outside the root element"),
            ("<a/><b/>", "it has more than one root element"),
            ("<a><b></a>", "it is not well-formed XML"),
            ("<a>", "it ends too early"),
            ("<a", "it is not well-formed XML"),
            ("<a b='1' b='2'/>", "it has a malformed attribute"),
            ("<a>&", "it is not well-formed XML"),
        ] {
            assert_eq!(problem(document), expected, "{:.60}", document);
        }
        assert_eq!(
            Element::parse(b"<a>\xff</a>").map(|_| ()).unwrap_err().0,
            "it is not UTF-8"
        );
    }

    #[test]
    fn a_text_is_all_its_pieces_joined() {
        let document = "\u{feff}<?xml version=\"1.0\"?>\n<r><a>x&amp;<!-- no -->y<![CDATA[<z>]]>&#65;&#x42;</a></r>\n";
        let root = Element::parse(document.as_bytes()).unwrap();
        assert_eq!(root.text_of("a"), Ok(Some("x&y<z>AB")));
    }

    #[test]
    fn children_are_found_once_by_local_name_and_nil_is_absence() {
        let document =
            "<p:r xmlns:p='u'><p:a>1</p:a><b xsi:nil='true'/><c/><d><e/></d><f/><f/></p:r>";
        let root = Element::parse(document.as_bytes()).unwrap();
        assert_eq!(root.name, "r");
        assert_eq!(root.text_of("a"), Ok(Some("1")));
        for absent in ["b", "c", "zzz"] {
            assert_eq!(root.text_of(absent), Ok(None), "{absent}");
        }
        assert!(root.text_of("d").is_err() && root.text_of("f").is_err());
        assert!(root.into_only_child().is_err());
    }

    #[test]
    fn what_xml_cannot_carry_is_not_escaped_but_refused() {
        for text in ["\0", "a\u{b}", "\u{1b}[2J", "\u{fffe}", "\u{ffff}"] {
            assert_eq!(
                push_escaped(text, &mut WipedBuffer::default()),
                Err(NotXml),
                "{text:?}"
            );
        }
    }
}
