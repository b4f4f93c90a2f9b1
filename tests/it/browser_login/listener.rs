//! The listener to which the browser comes back, and who else may knock.

use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Login, scene};

/// T48, and everything else that may knock.
#[tokio::test]
async fn the_listener_hears_the_one_request_and_no_other() {
    let scene = scene().await;
    let login = Login::begin_new(&scene).await;
    let location = login.sent_to(&scene).await;
    let target = format!("/callback{}", &location[location.find('?').unwrap()..]);
    let own = login.address().to_owned();
    let port = own.rsplit_once(':').unwrap().1;
    let mut silent = Vec::new();
    // More than it hears at a time, and each second one in the middle of something.
    for begun in ["", "GET /callback?code=abc"].repeat(20) {
        let mut stream = TcpStream::connect(login.address()).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    for (target, host, status) in [
        ("/favicon.ico", own.as_str(), "404"),
        ("/callback", &own, "400"),
        (&target, "evil.example", "403"),
        (&target, &format!("evil.example:{port}"), "403"),
        (&target, "localhost:1", "403"),
    ] {
        let answer = login.ask(target, host).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{host}: {answer}"
        );
    }
    let huge = format!("/callback?state={}", "x".repeat(100_000));
    assert_eq!(login.ask(&huge, &own).await, "");
    let endless = format!("GET {target} HTTP/1.1\r\n{}", "X-A: b\r\n".repeat(10_000));
    assert_eq!(login.say(endless.as_bytes()).await, "");
    let rest = format!("HTTP/1.1\r\nHost: {own}\r\n\r\n");
    let twice = format!("GET {target}&state=other ");
    for (begun, status) in [
        (&b"GET /callback?code=\xff\xfe&state=\xc3 "[..], "400"),
        (b"GET /callback?code=%ff%fe&state=%c3%28 ", "400"),
        (b"GET /callback?code=a&state=%00%zz ", "400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 ", "400"),
        (format!("POST {target} ").as_bytes(), "405"),
        (twice.as_bytes(), "400"),
        (b"", "400"),
    ] {
        let answer = login.say(&[begun, rest.as_bytes()].concat()).await;
        let begun = begun.escape_ascii();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{begun}: {answer}"
        );
    }
    // Who leaves in the middle of a good request has asked for nothing.
    let whole = format!("GET {target} {rest}");
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        assert_eq!(login.say(&whole.as_bytes()[..cut]).await, "", "{cut}");
    }
    // Two at once: one is heard.
    let answers = tokio::join!(login.bring(&location), login.bring(&location));
    assert!(
        [&answers.0, &answers.1]
            .iter()
            .any(|it| it.starts_with("HTTP/1.1 200"))
    );
    drop(silent);
    let (ended, _) = login.end().await;
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    scene.finish().await;
}
