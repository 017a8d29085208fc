// SPDX-License-Identifier: LGPL-2.1-or-later
import TestSupport
import Testing
import XML

@Suite struct DocumentTests {
    private func refusal(_ text: String, limits: Limits = Limits()) -> XMLError? {
        do throws(XMLError) { _ = try Document.parse(text, limits: limits) } catch { return error }
        return nil
    }

    @Test func `reads elements, attributes, text, lines and namespaces`() throws {
        let root = try Document.parse(
            """
            <?xml version='1.0' encoding='UTF-8'?>
            <!-- a pool -->
            <pool type="dir" xmlns:c='urn:cistern:1'>
              <name>a &amp; b&#x41;</name>
              <c:extra c:x='1' y="&lt;&amp;&#10;'"><![CDATA[<raw>]]>tail</c:extra>
              <?php ignored ?>
            </pool>

            """)
        #expect(root.name == "pool")
        #expect(root.line == 3)
        #expect(root.attributes == [.init("type", "dir")])
        #expect(root.children.map(\.name) == ["name", "extra"])
        #expect(root.child("name")?.text == "a & bA")
        let extra = try #require(root.child("extra", namespace: "urn:cistern:1"))
        #expect(extra.line == 5)
        #expect(extra.attributes == [.init("x", "1", namespace: "urn:cistern:1"), .init("y", "<&\n'")])
        #expect(extra.text == "<raw>tail")
    }

    @Test(arguments: [
        "", " ", "x", "<a>", "<a></b>", "<a/><b/>", "<a b=c/>", "<a b='1' b='2'/>", "<p:a/>", "<a>&foo;</a>", "<a b='&foo;'/>",
        "<a>\u{1}</a>",
    ])
    func `refuses what is not well-formed`(_ text: String) {
        #expect(refusal(text) != nil)
    }

    @Test func `names the line`() {
        #expect(refusal("<a>\n<b>\n</c></a>")?.line == 3)
    }

    @Test(arguments: [
        "<!DOCTYPE a><a/>",
        "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><a/>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM 'file:///etc/passwd'> %p;]><a/>",
        "<!DOCTYPE a [<!ATTLIST a b CDATA 'default'>]><a/>",
    ])
    func `refuses a document type`(_ text: String) {
        #expect(refusal(text)?.message == "a document type declaration is not allowed")
    }

    @Test func `refuses a billion laughs`() {
        var text = "<!DOCTYPE a [<!ENTITY l0 'lol'>"
        for level in 1...10 {
            text += "<!ENTITY l\(level) '\(String(repeating: "&l\(level - 1);", count: 10))'>"
        }
        #expect(refusal(text + "]><a>&l10;</a>")?.message == "a document type declaration is not allowed")
    }

    @Test func `refuses a hundred thousand levels`() {
        let deep = String(repeating: "<a>", count: 100_000) + String(repeating: "</a>", count: 100_000)
        #expect(refusal(deep)?.message == "elements are nested more than 100 deep")
        #expect(refusal(String(repeating: "<a>", count: 100) + String(repeating: "</a>", count: 100)) == nil)
        #expect(refusal(String(repeating: "<a>", count: 101) + String(repeating: "</a>", count: 101)) != nil)
    }

    @Test(arguments: ["UTF-16", "ISO-8859-1", "EBCDIC-US", "nonsense", ""])
    func `refuses other encodings`(_ encoding: String) {
        #expect(refusal("<?xml version='1.0' encoding='\(encoding)'?><a>ä</a>") != nil)
        #expect(refusal("<?xml version=\"1.0\"  encoding = \"\(encoding)\" standalone='yes'?><a/>") != nil)
    }

    @Test(arguments: ["<?xml version='1.0' encoding='utf-8'?><a>ä</a>", "<?xml version='1.0'?><a>ä</a>", "\u{FEFF}<a>ä</a>", "<a>ä</a>"])
    func `takes UTF-8`(_ text: String) throws {
        #expect(try Document.parse(text).text == "ä")
    }

    @Test func `refuses NULs`() {
        #expect(refusal("<a>x</a>\0")?.message == "the document contains a NUL")
        #expect(refusal("<a>\n\0</a>")?.line == 2)
        #expect(refusal("\0") != nil)
    }

    @Test func `refuses what is too large`() {
        #expect(refusal("<a>" + String(repeating: "x", count: 30 << 20) + "</a>")?.message.contains("more than 1048576") == true)
        #expect(refusal("<a>" + String(repeating: "x", count: (1 << 20) - 7) + "</a>") == nil)
        #expect(refusal("<a>" + String(repeating: "<b/>", count: 30_000) + "</a>")?.message.contains("20000 elements") == true)
        let attributes = (0..<30_000).map { " a\($0)='1'" }.joined()
        #expect(refusal("<a\(attributes)/>") != nil)
    }

    @Test func `pieces of a document never trap`() throws {
        let whole = "<?xml version='1.0' encoding='UTF-8'?><!DOCTYPE a><a b='&amp;'>é<c xmlns='u'><![CDATA[x]]></c><!-- d --></a>"
        for count in 0...whole.unicodeScalars.count { _ = refusal(String(whole.unicodeScalars.prefix(count))) }
        var generator = SplitMix(seed: 7)
        for _ in 0..<2000 {
            var bytes = Array("<pool type='dir'><name>a</name><target><path>/x</path></target></pool>".utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            _ = refusal(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `threads do not disturb each other`() async {
        await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                group.addTask { (try? Document.parse("<a>\(number)</a>").text) == "\(number)" && (try? Document.parse("<a>")) == nil }
            }
            for await good in group { #expect(good) }
        }
    }

    @Test func `prints two spaces deep, escaped, with prefixes declared at the root`() throws {
        let root = Element(
            "pool", attributes: [.init("type", "d'i&r\n")],
            children: [
                Element("name", text: "<a>\r\u{1}"), Element("empty"),
                Element("target", children: [Element("format", namespace: "urn:x", text: "q"), Element("f", namespace: "urn:other")]),
            ])
        let text = Writer(prefixes: ["urn:x": "x", "urn:unused": "u"]).print(root)
        #expect(
            text == """
                <pool xmlns:x='urn:x' type='d&apos;i&amp;r&#10;'>
                  <name>&lt;a&gt;&#13;\u{FFFD}</name>
                  <empty/>
                  <target>
                    <x:format>q</x:format>
                    <f xmlns='urn:other'/>
                  </target>
                </pool>

                """)
        let back = try Document.parse(text)
        #expect(back.attribute("type") == "d'i&r\n")
        #expect(back.child("name")?.text == "<a>\r\u{FFFD}")
        #expect(back.child("target")?.children.map(\.namespace) == ["urn:x", "urn:other"])
    }
}
