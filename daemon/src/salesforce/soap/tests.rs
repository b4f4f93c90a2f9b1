use super::*;

fn content(xml: &str) -> Element {
    Element::parse(xml.as_bytes()).unwrap()
}

fn fault(inside: &str) -> (Option<String>, String) {
    let message = format!(
        "<s:Envelope xmlns:s='x'><s:Body><s:Fault>{inside}</s:Fault></s:Body></s:Envelope>"
    );
    match Body::parse(message.as_bytes()) {
        Ok(Body::Fault(fault)) => (fault.code, fault.text.to_string()),
        Ok(Body::Content(_)) | Err(_) => panic!("not a fault: {inside}"),
    }
}

const SESSION: &str = "00Dxx0000001gPL!AR8AQ.x_y";
const URL: &str = "https://acme.my.salesforce.com/services/Soap/u/64.0/00Dxx0000001gPL";
const INFO: &str = "<organizationId>00Dxx0000001gPLEAY</organizationId>\
                    <sessionSecondsValid>7200</sessionSecondsValid>\
                    <userId>005xx000001Sv6AAAS</userId><userName>ETL@acme.com</userName>";

fn read(session: &str, url: &str, info: &str) -> Result<Grant, NoGrant> {
    let xml = format!(
        "<loginResponse><result><passwordExpired>false</passwordExpired><sandbox>true</sandbox>\
         <serverUrl>{url}</serverUrl><sessionId>{session}</sessionId><userId>005xx000001Sv6A</userId>\
         <userInfo>{info}</userInfo></result></loginResponse>"
    );
    grant(&content(&xml), "etl@acme.com", &HostRules::default())
}

#[test]
fn a_grant_has_what_the_answer_says() {
    let grant = read(SESSION, URL, INFO).unwrap();
    // EXPOSE: this test.
    assert_eq!(grant.session_id.expose(), SESSION);
    assert_eq!(grant.instance.as_str(), "acme.my.salesforce.com");
    assert_eq!(grant.org_id, "00Dxx0000001gPLEAY");
    assert_eq!(grant.user_id, "005xx000001Sv6AAAS");
    assert_eq!(grant.username.as_deref(), Some("ETL@acme.com"));
    assert!(grant.sandbox);
    assert_eq!(grant.timeout, Some(Duration::from_secs(7200)));
}

#[test]
fn what_the_answer_leaves_out_is_known_from_elsewhere() {
    let grant = read(SESSION, URL, "").unwrap();
    assert_eq!(
        (
            grant.org_id.as_str(),
            grant.username.as_deref().unwrap(),
            grant.timeout
        ),
        ("00Dxx0000001gPLEAY", "etl@acme.com", None)
    );
}

#[test]
fn the_instance_is_the_host_alone() {
    for (url, host) in [
        (
            "https://acme-api.my.salesforce.com/services/Soap/u/64.0/00Dxx0000001gPL/0DFi00000",
            "acme-api.my.salesforce.com",
        ),
        (
            "https://ACME.my.salesforce.com:443/services/Soap/u/64.0",
            "acme.my.salesforce.com",
        ),
    ] {
        assert_eq!(read(SESSION, url, INFO).unwrap().instance.as_str(), host);
    }
    for url in [
        "",
        "https://",
        "https://acme.my.salesforce.com",
        "https://acme.my.salesforce.com/",
        "//acme.my.salesforce.com/services/Soap/u/64.0/x",
    ] {
        assert!(
            matches!(read(SESSION, url, INFO), Err(NoGrant::Unreadable(_))),
            "{url}"
        );
    }
    for version in ["v64.0", "64", "65.0", "7.0", ""] {
        let url =
            format!("https://acme.my.salesforce.com/services/Soap/u/{version}/00Dxx0000001gPL");
        assert_eq!(
            read(SESSION, &url, INFO).unwrap_err(),
            NoGrant::OtherVersion,
            "{version}"
        );
    }
}

/// T38.
#[test]
fn a_session_id_of_another_shape_is_refused() {
    for session in [
        "",
        "00Dxx0000001gPL!",
        "00Dxx0000001gPLEAY!AR8AQ",
        "00Dxx0000001gPL",
        "005xx000001Sv6A!AR8AQ",
        "00Dxx0000001gPL!AR8AQ ",
        " 00Dxx0000001gPL!AR8AQ",
        "00Dxx0000001gPL!AR8AQ&#13;",
        "00Dxx0000001gPL!AR!AQ",
        "00Dxx0000001gPL!\u{e9}",
        "eyJ",
        "eyJhbGci.eyJzdWIi",
        "eyJhbGci.eyJzdWIi.",
        "eyJhbGci.eyJzdWIi.si=",
    ] {
        assert!(
            matches!(read(session, URL, INFO), Err(NoGrant::Unreadable(_))),
            "{session:?}"
        );
    }
    assert!(read("eyJhbGci.eyJzdWIi.si-g_n", URL, INFO).is_ok());
    // A JWT names its org nowhere that is read here, so the answer must.
    assert!(read("eyJhbGci.eyJzdWIi.si-g_n", URL, "").is_err());
}

#[test]
fn an_absurd_timeout_counts_as_unknown() {
    for (text, seconds) in [
        ("900", Some(900)),
        (" 86400 ", Some(86_400)),
        ("86401", None),
        ("0", None),
        ("-1", None),
        ("soon", None),
        ("99999999999999999999", None),
        ("", None),
    ] {
        let info = format!("<sessionSecondsValid>{text}</sessionSecondsValid>");
        let timeout = read(SESSION, URL, &info).unwrap().timeout;
        assert_eq!(timeout, seconds.map(Duration::from_secs), "{text}");
    }
}

#[test]
fn a_proof_tells_whose_session_it_is() {
    let xml = format!("<getUserInfoResponse><result>{INFO}</result></getUserInfoResponse>");
    let expected = Proof {
        org_id: "00Dxx0000001gPLEAY".to_owned(),
        user_id: "005xx000001Sv6AAAS".to_owned(),
        username: Some("ETL@acme.com".to_owned()),
        timeout: Some(Duration::from_secs(7200)),
    };
    assert_eq!(proof(&content(&xml)), Ok(expected));
    for xml in [
        "<getUserInfoResponse/>",
        "<getUserInfoResponse><result/></getUserInfoResponse>",
        "<loginResponse><result/></loginResponse>",
    ] {
        assert!(proof(&content(xml)).is_err(), "{xml}");
    }
}

#[test]
fn a_fault_has_its_code_from_detail_else_faultcode_else_text() {
    let some = |code: &str| Some(code.to_owned());
    let detail = "<detail><sf:UnexpectedErrorFault xmlns:sf='y'><sf:exceptionCode>A_CODE</sf:exceptionCode>\
                  <sf:exceptionMessage>inner</sf:exceptionMessage></sf:UnexpectedErrorFault></detail>";
    let outer = "<faultcode>sf:B_CODE</faultcode><faultstring>C_CODE: outer: text</faultstring>";
    assert_eq!(
        fault(&format!("{outer}{detail}")),
        (some("A_CODE"), "inner".to_owned())
    );
    assert_eq!(fault(outer), (some("B_CODE"), "outer: text".to_owned()));
    assert_eq!(
        fault(&outer.replace("sf:", "")),
        (some("B_CODE"), "outer: text".to_owned())
    );
    assert_eq!(
        fault("<faultcode>soapenv:Client</faultcode><faultstring>C_CODE: text</faultstring>"),
        (some("C_CODE"), "text".to_owned())
    );
    assert_eq!(
        fault("<faultcode>soapenv:Client</faultcode><faultstring>Bad: text</faultstring>"),
        (None, "Bad: text".to_owned())
    );
    assert_eq!(fault(""), (None, String::new()));
}
