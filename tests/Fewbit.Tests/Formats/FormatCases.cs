using Fewbit.Formats;

namespace Fewbit.Tests.Formats;

/// <summary>Formats of every kind, by name.</summary>
internal static class FormatCases
{
    public static readonly string[] Integers = ["int1", "uint1", "int2", "uint2", "int3", "uint3", "int4", "int4 narrow", "uint4", "int5", "uint7", "int8", "int8 narrow", "uint8", "uint11", "int16", "uint16"];

    public static readonly string[] Levels =
    [
        "fp3e1m1", "fp3e2m0", "fp4e2m1", "fp4e1m2", "fp4e3m0", "fp5e2m2", "fp6e3m2", "fp6e2m3", "fp6e3m2ieee", "fp7e4m2fn", "fp8e4m3fn", "fp8e4m3", "fp8e4m3finite",
        "fp8e4m3fnuz", "fp8e5m2", "fp8e5m2fnuz", "fp8e3m4", "fp8e7m0finite", "fp8e4m3fnb11", "pot2", "pot4", "pot8", "upot1", "upot4", "apot2", "apot3", "apot4", "apot8", "uapot1", "uapot5", "uapot8",
    ];

    /// <summary>Every format of the names, and a codebook.</summary>
    public static IEnumerable<NumberFormat> All => [.. Integers.Concat(Levels).Select(NumberFormats.Parse), new CodebookFormat([-3, -1, -0.25f, 0.5f, 0.75f, 4, 1000])];

    public static TheoryData<string> AllNames => [.. Integers.Concat(Levels)];
}
