using Fewbit.Formats;
using Fewbit.Targets;

namespace Fewbit.Tests.Targets;

public sealed class ExportTargetTests
{
    private static readonly IntegerFormat s_uint8 = IntegerFormat.UInt8, s_int8 = IntegerFormat.Int8;

    [Fact]
    public void Parse_EveryName_GivesTheTargetAgain() => Assert.All(ExportTarget.All, target => Assert.Equal(target, ExportTarget.Parse(target.Name)));

    [Fact]
    public void Parse_Misspelt_SuggestsTheNearest() =>
        Assert.StartsWith("there is no target 'ort-x86'; did you mean 'ort-x64'?; there are ort-x64, ort-x64-no-vnni, ort-arm, tensorrt", Assert.Throws<ArgumentException>(() => ExportTarget.Parse("ort-x86")).Message, StringComparison.Ordinal);

    [Fact]
    public void Check_DefaultsOfEachTarget_Pass() => Assert.All(ExportTarget.All, target => target.Check(target.Weights, target.Activations));

    [Theory]
    [InlineData("int8", false)]
    [InlineData("uint7", false)] // code - zero point reaches 127
    [InlineData("int7", true)]
    [InlineData("uint6", true)]
    [InlineData("int4", true)]
    public void Check_WithoutVnni_WeightsBeyond64AreRefused(string weights, bool fits)
    {
        void Check() => ExportTarget.OrtX64WithoutVnni.Check(NumberFormats.Parse(weights), s_uint8);
        if (fits) Check();
        else Assert.StartsWith($"weights cannot be {weights} for ort-x64-no-vnni: pairs of products of 8 bits each exceed 16 bits there and saturate; expected int7 or fewer bits", Assert.Throws<ArgumentException>(Check).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Check_WithoutVnni_FloatActivationsTakeAnyWeight() => ExportTarget.OrtX64WithoutVnni.Check(s_int8, null);

    [Theory]
    [InlineData("uint8", "int8", "activations cannot be uint8 for tensorrt: expected int8 or fp8e4m3fn")]
    [InlineData("int4", "int8", "activations cannot be int4 for tensorrt: expected int8 or fp8e4m3fn")]
    [InlineData("int8", "fp6e3m2", "weights cannot be fp6e3m2 for tensorrt: expected int8 or fewer bits, or fp8e4m3fn beside activations of that format")]
    [InlineData("int8", "int16", "weights cannot be int16 for tensorrt: expected int8 or fewer bits, or fp8e4m3fn beside activations of that format")]
    public void Check_TensorRt_RefusesWhatItCannotRun(string activations, string weights, string message) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => ExportTarget.TensorRt.Check(NumberFormats.Parse(weights), NumberFormats.Parse(activations))).Message);

    [Fact]
    public void Check_TensorRtFloatActivations_IsRefused() =>
        Assert.Equal("tensorrt computes in int8 only where activations have codes too; leave float activations out", Assert.Throws<ArgumentException>(() => ExportTarget.TensorRt.Check(s_int8, null)).Message);
}
