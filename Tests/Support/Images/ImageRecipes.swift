// SPDX-License-Identifier: LGPL-2.1-or-later

private let kib: UInt64 = 1 << 10
private let mib: UInt64 = 1 << 20
private let gib: UInt64 = 1 << 30
private let tib: UInt64 = 1 << 40

extension ImageRecipe {
    /// Every image of the matrix; those that others are overlays of come first.
    public static let all = bases + raw + qcow + qcow2 + qcow2Overlays + qed + vmdk + vdi + vpc + vhdx + others

    private static let raw = [
        ImageRecipe("raw-0.img", "raw", 0), ImageRecipe("raw-512.img", "raw", 512), ImageRecipe("raw-odd.img", "raw", mib + 512),
        ImageRecipe("raw-2t.img", "raw", 2 * tib), ImageRecipe("raw-falloc.img", "raw", mib, "preallocation=falloc"),
    ]

    private static let qcow = [
        ImageRecipe("qcow-512.qcow", "qcow", 512), ImageRecipe("qcow-odd.qcow", "qcow", mib + 512),
        ImageRecipe("qcow-2t.qcow", "qcow", 2 * tib),
        ImageRecipe("qcow-aes.qcow", "qcow", mib, "encrypt.format=aes,encrypt.key-secret=s"),
        ImageRecipe("qcow-overlay.qcow", "qcow", 2 * mib, backing: "base.qcow2"),
    ]

    private static let qcow2: [ImageRecipe] = {
        var recipes = [
            ImageRecipe("qcow2-0.qcow2", "qcow2", 0), ImageRecipe("qcow2-1.qcow2", "qcow2", 1),
            ImageRecipe("qcow2-512.qcow2", "qcow2", 512), ImageRecipe("qcow2-odd.qcow2", "qcow2", mib + 512),
            ImageRecipe("qcow2-2t.qcow2", "qcow2", 2 * tib), ImageRecipe("qcow2-1p.qcow2", "qcow2", 1024 * tib, "cluster_size=2M"),
            ImageRecipe("qcow2-old.qcow2", "qcow2", mib, "compat=0.10"),
            ImageRecipe("qcow2-old-512.qcow2", "qcow2", mib, "compat=0.10,cluster_size=512"),
            ImageRecipe("qcow2-old-2m.qcow2", "qcow2", 3 * gib, "compat=0.10,cluster_size=2M"),
            ImageRecipe("qcow2-lazy.qcow2", "qcow2", mib, "lazy_refcounts=on"),
            ImageRecipe("qcow2-zstd.qcow2", "qcow2", mib, "compression_type=zstd"),
            ImageRecipe("qcow2-refcount-1.qcow2", "qcow2", mib, "refcount_bits=1"),
            ImageRecipe("qcow2-refcount-64.qcow2", "qcow2", mib, "refcount_bits=64"),
            ImageRecipe("qcow2-metadata.qcow2", "qcow2", 4 * mib, "preallocation=metadata"),
            ImageRecipe("qcow2-falloc.qcow2", "qcow2", 4 * mib, "preallocation=falloc"),
            ImageRecipe("qcow2-full.qcow2", "qcow2", mib, "preallocation=full"),
            ImageRecipe("qcow2-data.qcow2", "qcow2", mib, "data_file=qcow2-data.raw"),
            ImageRecipe("qcow2-data-absolute.qcow2", "qcow2", mib, "data_file=@/qcow2-data-absolute.raw,data_file_raw=on"),
            ImageRecipe("qcow2-aes.qcow2", "qcow2", mib, "encrypt.format=aes,encrypt.key-secret=s"),
            ImageRecipe("qcow2-snapshots.qcow2", "qcow2", mib).variant { $0.snapshots = 3 },
            ImageRecipe("qcow2-old-snapshot.qcow2", "qcow2", mib, "compat=0.10").variant { $0.snapshots = 1 },
        ]
        for cluster in ["512", "1k", "2k", "4k", "8k", "16k", "32k", "128k", "256k", "512k", "1M", "2M"] {
            recipes.append(ImageRecipe("qcow2-cluster-\(cluster).qcow2", "qcow2", gib + 512, "cluster_size=\(cluster)"))
        }
        for cluster in ["16k", "64k", "128k", "2M"] {
            recipes.append(ImageRecipe("qcow2-extended-\(cluster).qcow2", "qcow2", 7 * gib, "extended_l2=on,cluster_size=\(cluster)"))
        }
        return recipes
    }()

    private static let qcow2Overlays = [
        ImageRecipe("overlay.qcow2", "qcow2", 2 * mib, backing: "base.qcow2"),
        ImageRecipe("overlay-absolute.qcow2", "qcow2", 2 * mib, backing: "@/base.qcow2"),
        ImageRecipe("overlay-raw.qcow2", "qcow2", 2 * mib, backing: "base.img", as: "raw"),
        ImageRecipe("overlay-vmdk.qcow2", "qcow2", 2 * mib, backing: "base.vmdk", as: "vmdk"),
        ImageRecipe("overlay-old.qcow2", "qcow2", 2 * mib, "compat=0.10", backing: "base.qcow2"),
        ImageRecipe("overlay-512.qcow2", "qcow2", 2 * mib, "cluster_size=512", backing: "base.qcow2"),
        ImageRecipe("overlay-2m.qcow2", "qcow2", 2 * mib, "cluster_size=2M", backing: "base.qcow2"),
        ImageRecipe("overlay-unknown.qcow2", "qcow2", 2 * mib, backing: "base.qcow2").variant { $0.forgetsBackingFormat = true },
        ImageRecipe("overlay-missing.qcow2", "qcow2", mib, backing: "no such file.qcow2"),
        ImageRecipe("overlay-unicode.qcow2", "qcow2", mib, backing: "Fässchen–水.qcow2"),
        ImageRecipe("overlay-up.qcow2", "qcow2", mib, backing: "../../elsewhere/base.qcow2"),
        ImageRecipe(
            "overlay-json.qcow2", "qcow2", mib, backing: #"json:{"driver":"qcow2","file":{"driver":"file","filename":"base.qcow2"}}"#),
        ImageRecipe("overlay-network.qcow2", "qcow2", mib, backing: "nbd://localhost:10809/base", as: "raw"),
        ImageRecipe("overlay-long.qcow2", "qcow2", mib, backing: String(repeating: "long/", count: 190) + "base.qcow2"),
        ImageRecipe("overlay-longest.qcow2", "qcow2", mib, backing: "/" + String(repeating: "x", count: 1022)),
        ImageRecipe("overlay-data.qcow2", "qcow2", 2 * mib, "data_file=overlay-data.raw", backing: "base.qcow2"),
        ImageRecipe(
            "overlay-luks.qcow2", "qcow2", 2 * mib, "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", backing: "base.qcow2"),
        ImageRecipe("overlay-extended.qcow2", "qcow2", 2 * mib, "extended_l2=on,compression_type=zstd", backing: "base.qcow2"),
    ]

    private static let qed = [
        ImageRecipe("qed.qed", "qed", mib), ImageRecipe("qed-odd.qed", "qed", mib + 512), ImageRecipe("qed-2t.qed", "qed", 2 * tib),
        ImageRecipe("qed-4k.qed", "qed", gib, "cluster_size=4096,table_size=16"),
        ImageRecipe("qed-small.qed", "qed", gib, "cluster_size=8192,table_size=2"),
        ImageRecipe("qed-1m.qed", "qed", mib, "cluster_size=1M,table_size=2"),
        ImageRecipe("qed-overlay.qed", "qed", 2 * mib, backing: "base.qed", as: "qed"),
        ImageRecipe("qed-overlay-raw.qed", "qed", 2 * mib, backing: "base.img", as: "raw"),
    ]

    private static let vmdk = [
        ImageRecipe("vmdk.vmdk", "vmdk", mib), ImageRecipe("vmdk-odd.vmdk", "vmdk", mib + 512), ImageRecipe("vmdk-1t.vmdk", "vmdk", tib),
        ImageRecipe("vmdk-compat6.vmdk", "vmdk", mib, "compat6=on,adapter_type=lsilogic"),
        ImageRecipe("vmdk-zeroed.vmdk", "vmdk", mib, "zeroed_grain=on"),
        ImageRecipe("vmdk-flat.vmdk", "vmdk", 3 * mib, "subformat=monolithicFlat"),
        ImageRecipe("vmdk-split.vmdk", "vmdk", 5 * gib + 512, "subformat=twoGbMaxExtentSparse"),
        ImageRecipe("vmdk-split-many.vmdk", "vmdk", 300 * gib, "subformat=twoGbMaxExtentSparse"),
        ImageRecipe("vmdk-split-flat.vmdk", "vmdk", 3 * gib, "subformat=twoGbMaxExtentFlat"),
        ImageRecipe("vmdk-stream.vmdk", "vmdk", 64 * mib, "subformat=streamOptimized"),
        ImageRecipe("vmdk-overlay.vmdk", "vmdk", 2 * mib, backing: "base.vmdk", as: "vmdk"),
        ImageRecipe("vmdk-overlay-absolute.vmdk", "vmdk", 2 * mib, backing: "@/base.vmdk", as: "vmdk"),
        ImageRecipe("vmdk-overlay-split.vmdk", "vmdk", 2 * mib, "subformat=twoGbMaxExtentSparse", backing: "base.vmdk", as: "vmdk"),
    ]

    private static let vdi = [
        ImageRecipe("vdi.vdi", "vdi", mib), ImageRecipe("vdi-odd.vdi", "vdi", mib + 512), ImageRecipe("vdi-2t.vdi", "vdi", 2 * tib),
        ImageRecipe("vdi-static.vdi", "vdi", 3 * mib, "static=on"),
    ]

    /// A fixed one is plain data for a probe: what makes it one is its last sector, which a guest can write.
    private static let vpc = [
        ImageRecipe("vpc.vpc", "vpc", mib), ImageRecipe("vpc-odd.vpc", "vpc", 10 * mib + 512),
        ImageRecipe("vpc-127g.vpc", "vpc", 127 * gib), ImageRecipe("vpc-largest.vpc", "vpc", 2040 * gib, "force_size=on"),
        ImageRecipe("vpc-forced.vpc", "vpc", 10 * mib + 512, "force_size=on"),
        ImageRecipe("vpc-1t.vpc", "vpc", tib),
        ImageRecipe("vpc-fixed.vpc", "vpc", 3 * mib, "subformat=fixed"),
        ImageRecipe("vpc-fixed-forced.vpc", "vpc", 3 * mib + 512, "subformat=fixed,force_size=on"),
    ]

    private static let vhdx: [ImageRecipe] = {
        var recipes = [
            ImageRecipe("vhdx.vhdx", "vhdx", mib), ImageRecipe("vhdx-odd.vhdx", "vhdx", mib + 512),
            ImageRecipe("vhdx-2t.vhdx", "vhdx", 2 * tib), ImageRecipe("vhdx-largest.vhdx", "vhdx", 64 * tib),
            ImageRecipe("vhdx-fixed.vhdx", "vhdx", 3 * mib, "subformat=fixed"),
            ImageRecipe("vhdx-log.vhdx", "vhdx", 3 * mib, "log_size=16M"),
        ]
        for block in ["1M", "4M", "32M", "256M"] {
            recipes.append(ImageRecipe("vhdx-block-\(block).vhdx", "vhdx", gib, "block_size=\(block)"))
        }
        return recipes
    }()

    /// Few with LUKS: qemu-img spends seconds on finding out how fast it derives keys.
    private static let others = [
        ImageRecipe("parallels.hds", "parallels", mib), ImageRecipe("parallels-odd.hds", "parallels", mib + 512),
        ImageRecipe("parallels-2t.hds", "parallels", 2 * tib),
        ImageRecipe("parallels-256k.hds", "parallels", 10 * mib, "cluster_size=256k"),
        ImageRecipe("luks.luks", "luks", mib + 512, "key-secret=s,iter-time=10,cipher-alg=aes-128,hash-alg=sha1"),
    ]
}
