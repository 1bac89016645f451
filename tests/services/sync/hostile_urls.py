"""Addresses that the guard refuses, by the reason that it has to give.

Each breaks the rule of its reason. Those above the line `also` break no other rule: were the rule
not there, nothing else would stop them. Those below break several.
"""

LONG = "the address is empty or too long"
CHARACTERS = "the address holds a space, a control character or a backslash"
RELATIVE = "the address is not an absolute URL"
SCHEME = "only https is allowed"
USER = "the address holds a user name"
PORT = "only port 443 is allowed"
MALFORMED = "the host is not a well-formed DNS name"
INTERNAL = "the host is not a public DNS name"
NUMBER = "an IP address is not a name"
FRAGMENT = "the address holds a fragment"
PATH = "the path holds characters that a URL may not hold"
DOTS = "the path holds dot segments"
UNKNOWN = "the host was not registered for this connection"

HOSTILE: dict[str, list[str]] = {
    LONG: [
        "https://crm.example.com/" + "a" * (8193 - 24),
        # also
        "",
        "https://crm.example.com/" + "a" * 9000,
    ],
    CHARACTERS: [
        *(f"https://crm.example.com/{char}" for char in " \t\r\n\x00\x01\x1f\x7f\\"),
        # also
        "https://crm.exam ple.com/",
        "https://crm.example.com\\@evil.example.com/",
        "https:\\\\crm.example.com/",
        "https://crm.example.com\\evil",
        " https://crm.example.com/",
        "https://crm.example.com/\r\nHost: evil",
        "https://crm.example.com\t/",
        "https://crm.example.com\n/",
        "ht\ttps://crm.example.com/",
    ],
    RELATIVE: [
        "crm.example.com",
        "//crm.example.com/",
        "https:crm.example.com",
        "https:/crm.example.com",
        # also
        "/api/data",
        "data:text/plain,x",
        "javascript:alert(1)",
    ],
    SCHEME: [
        "http://crm.example.com/",
        "HTTP://crm.example.com/",
        "ftp://crm.example.com/",
        "gopher://crm.example.com/",
        "ws://crm.example.com/",
        "wss://crm.example.com/",
        "ldap://crm.example.com/",
        "httpsx://crm.example.com/",
        "xhttps://crm.example.com/",
        # also
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
    ],
    USER: [
        "https://user@crm.example.com/",
        "https://@crm.example.com/",
        # also
        "https://user:pass@crm.example.com/",
        "https://crm.example.com@127.0.0.1/",
        "https://crm.example.com:443@evil.example.com/",
    ],
    PORT: [
        "https://crm.example.com:80/",
        "https://crm.example.com:8443/",
        "https://crm.example.com:22/",
        "https://crm.example.com:0443/",
        "https://crm.example.com:4430/",
        "https://crm.example.com:443443/",
        "https://crm.example.com:/",
        "https://crm.example.com:443:443/",
        "https://crm.example.com:4４3/",
        "https://crm.example.com:+443/",
        # also
        "https://::1/",
    ],
    MALFORMED: [
        "https://crm.example.com./",
        "https://.crm.example.com/",
        "https://crm..example.com/",
        "https://-crm.example.com/",
        "https://crm-.example.com/",
        "https://crm_x.example.com/",
        "https://crm%2eexample%2ecom/",
        "https://crm.example.com,evil.example.com/",
        "https://*.example.com/",
        f"https://{'a' * 64}.example.com/",
        f"https://{'a.' * 120}example.com.de/",  # 254 characters
        # characters that some parsers fold
        "https://crm。example.com/",
        "https://crm．example．com/",
        "https://crm｡example.com/",
        "https://ⓛocalhost.example.com/",
        "https://crm\u00ad.example.com/",
        "https://crm\u200b.example.com/",
        "https://crm\u202e.example.com/",
        "https://xn--a.example.com/",
        "https://xn--.example.com/",
        "https://ℂrm.example.com/",
        # also
        "https://",
        "https://?x",
        "https:///crm.example.com",
        "https://127.0.0.1./",
        "https://localhost./",
        "https://crm.example.com%40evil.example.com/",
        "https://crm.example.com%00.evil.example.com/",
        f"https://{'a.' * 130}example.com/",
        "https://１２７.０.０.１/",
        "https://①②⑦.⓪.⓪.①/",
        "https://ｌｏｃａｌｈｏｓｔ/",
    ],
    INTERNAL: [
        "https://crm/",
        *(
            f"https://crm.{suffix}/"
            for suffix in (
                "alt arpa corp home internal intranet invalid lan local localdomain localhost"
                " onion private svc"
            ).split()
        ),
        "https://CRM.LOCAL/",
        "https://metadata.google.internal/",
        "https://kubernetes.default.svc/",
        "https://kubernetes.default.svc.cluster.local/",
        "https://nas.home.arpa/",
        # also
        "https://localhost/",
        "https://LOCALHOST/",
        "https://localhost.localdomain/",
        "https://1.0.0.127.in-addr.arpa/",
        "https://0/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
    ],
    NUMBER: [
        "https://127.0.0.1/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://8.8.8.8/",
        "https://0.0.0.0/",
        "https://0x7f.0.0.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://127.0.0.0x1/",
        "https://1.2.3.4.5/",
        "https://crm.example.1/",
        "https://crm.example.0x1/",
        "https://[::1]/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:7f00:1]/",
        "https://[64:ff9b::7f00:1]/",
        "https://[2002:7f00:1::]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00:ec2::254]/",
        "https://[2606:4700::1111]/",
        "https://[v1.x]/",
    ],
    FRAGMENT: [
        "https://crm.example.com/#fragment",
        "https://crm.example.com#",
        # also
        "https://crm.example.com#@evil.example.com/",
    ],
    PATH: [
        "https://crm.example.com/%zz",
        "https://crm.example.com/%2",
        "https://crm.example.com/a%",
        "https://crm.example.com/ü",
        'https://crm.example.com/"x"',
        "https://crm.example.com/<x>",
        "https://crm.example.com/{x}",
        "https://crm.example.com/?x=^",
    ],
    DOTS: [
        "https://crm.example.com/../admin",
        "https://crm.example.com/a/./b",
        "https://crm.example.com/a/..",
        "https://crm.example.com/%2e%2e/admin",
        "https://crm.example.com/%2E/admin",
        "https://crm.example.com/.%2e/admin",
    ],
    UNKNOWN: [
        "https://evil.example.com/",
        "https://crm.example.com.evil.example.com/",
        "https://sub.crm.example.com/",
        "https://example.com/",
    ],
}
