// swift-tools-version: 6.2
// SPDX-License-Identifier: LGPL-2.1-or-later
import PackageDescription

/// Every target is built the same way: Swift 6, no warning survives.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// A service that always runs should not weigh much: half a megabyte of relocations becomes five kilobytes. Needs the toolchain's lld.
let small: [LinkerSetting] = [.unsafeFlags(["-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"])]

func library(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: [], swiftSettings: strict)
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "cistern",
    products: [
        .executable(name: "cisternd", targets: ["cisternd"]),
        .executable(name: "cisternctl", targets: ["cisternctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    ],
    targets: [
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .systemLibrary(name: "CUdev", pkgConfig: "libudev", providers: [.apt(["libudev-dev"])]),
        .systemLibrary(name: "CXML2", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),
        .systemLibrary(name: "CLinux"),
        library("EventLoop", ["CSystemd", "CLinux"]),
        library("Bus", ["EventLoop", "CSystemd", "CLinux"]),
        library("XML", ["CXML2"]),
        library("Udev", ["CUdev", "EventLoop"]),
        library("Images"),
        library("Cistern", ["XML"]),
        library("Backends", ["Cistern", "EventLoop", "Images", "Udev", "CLinux", logging]),
        library("Service", ["Cistern", "Bus", "EventLoop", logging]),
        .executableTarget(
            name: "cisternd", dependencies: ["Cistern", "Backends", "Service", "Bus", "EventLoop", logging], swiftSettings: strict,
            linkerSettings: small),
        .executableTarget(name: "cisternctl", dependencies: ["Bus", "EventLoop", arguments], swiftSettings: strict),

        .target(
            name: "TestSupport", dependencies: ["Cistern", "Backends", "Bus", "EventLoop", "XML"], path: "Tests/Support",
            swiftSettings: strict),
        tests("BusTests", ["Bus", "EventLoop", "TestSupport"]),
        tests("CisternTests", ["Cistern", "XML", "Backends", "EventLoop", "TestSupport"]),
        tests("BackendTests", ["Backends", "Cistern", "CLinux", "EventLoop", "Images", "TestSupport", "Udev", "XML"]),
        tests("ServiceTests", ["Service", "Cistern", "Backends", "Bus", "EventLoop", "CLinux", "TestSupport", "XML"]),
        tests("LabTests", ["Backends", "Bus", "Cistern", "EventLoop", "TestSupport", "Udev"]),
        tests("ArchitectureTests", []),
    ]
)
