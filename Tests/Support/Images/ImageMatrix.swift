// SPDX-License-Identifier: LGPL-2.1-or-later
import EventLoop
import Foundation

/// Image files of every format that qemu-img writes, with its own word on each.
public struct ImageMatrix: Sendable {
    /// One made image.
    public struct Image: Sendable {
        public let recipe: ImageRecipe
        public let path: String
        public let answer: ImageAnswer
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    public let images: [Image]

    /// Makes every image of ``ImageRecipe/all`` in an empty directory, and asks `qemu-img info -U` what it is.
    public static func make(_ recipes: [ImageRecipe] = ImageRecipe.all, in directory: String) async throws -> ImageMatrix {
        Loop.shared.startThread()
        var images: [Image] = []
        for recipe in ImageRecipe.bases { images.append(try await image(recipe, directory)) }
        let others = recipes.filter { !ImageRecipe.bases.contains($0) }
        images += try await withThrowingTaskGroup(of: [Image].self) { group in
            let width = 3
            for lane in 0..<width {
                group.addTask {
                    var images: [Image] = []
                    for index in stride(from: lane, to: others.count, by: width) {
                        images.append(try await image(others[index], directory))
                    }
                    return images
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        return ImageMatrix(images: images)
    }

    /// What qemu-img says of a file; nil if it cannot use it.
    public static func ask(_ path: String, as format: String? = nil) async throws -> ImageAnswer? {
        Loop.shared.startThread()
        let arguments = ["info", "--output=json", "-U"] + (format.map { ["-f", $0] } ?? []) + [path]
        let result = try await Child.run("qemu-img", arguments, deadline: .seconds(60))
        guard result.succeeded else { return nil }
        return try JSONDecoder().decode(ImageAnswer.self, from: Data(result.output))
    }

    private static func image(_ recipe: ImageRecipe, _ directory: String) async throws -> Image {
        let path = "\(directory)/\(recipe.name)"
        try await run(recipe, recipe.arguments(in: directory), directory)
        for number in 0..<recipe.snapshots { try await run(recipe, ["snapshot", "-c", "snapshot \(number)", path], directory) }
        if recipe.forgetsBackingFormat { try forgetBackingFormat(path) }
        guard let answer = try await ask(path) else { throw Failure(description: "qemu-img cannot read \(recipe) that it has made") }
        return Image(recipe: recipe, path: path, answer: answer)
    }

    /// On a busy machine qemu-img may fail to find out how fast it derives keys; then it is asked again.
    ///
    /// It runs in the images' directory, because that is where it makes data files with relative names.
    private static func run(_ recipe: ImageRecipe, _ arguments: [String], _ directory: String) async throws {
        var complaint = ""
        for _ in 0..<20 {
            let result = try await Child.run("env", ["-C", directory, "qemu-img"] + arguments, deadline: .seconds(60))
            if result.succeeded { return }
            complaint = result.complaint
            guard complaint.contains("Unable to get accurate CPU usage") else { break }
        }
        throw Failure(description: "qemu-img cannot make \(recipe): \(complaint)")
    }

    /// Gives the qcow2 header extension that tells the backing file's format a type that nobody knows.
    private static func forgetBackingFormat(_ path: String) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        defer { try? file.close() }
        let header = try file.read(upToCount: 4096) ?? Data()
        guard let place = header.firstRange(of: Data([0xe2, 0x79, 0x2a, 0xca])) else {
            throw Failure(description: "\(path) does not tell its backing file's format")
        }
        try file.seek(toOffset: UInt64(place.lowerBound))
        try file.write(contentsOf: Data([0x12, 0x34, 0x56, 0x78]))
    }
}
