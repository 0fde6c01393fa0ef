using Fewbit.Formats;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.OnnxRuntime;
using Fewbit.Tensors;
using Fewbit.Testing;

namespace Fewbit.Tests.Formats;

/// <summary>Codes and packed bytes against those of ONNX Runtime.</summary>
public sealed class OnnxRuntimeFormatsTests
{
    private static readonly Lazy<OnnxRuntimeLibrary> s_library = new(() => OnnxRuntimeLibrary.Open(Oracles.OnnxRuntimeLibrary));

    [RuntimeTheory]
    [InlineData("fp8e4m3fn", 1f)]
    [InlineData("fp8e4m3fn", 0.013f)]
    [InlineData("fp8e4m3fnuz", 1f)]
    [InlineData("fp8e5m2", 1f)]
    [InlineData("fp8e5m2", 0.013f)]
    [InlineData("fp8e5m2fnuz", 1f)]
    [InlineData("int8", 0.37f)]
    [InlineData("uint8", 0.37f)]
    [InlineData("int16", 0.37f)]
    [InlineData("uint16", 0.37f)]
    [InlineData("int4", 0.37f)]
    [InlineData("uint4", 0.37f)]
    [InlineData("int2", 0.37f)]
    [InlineData("uint2", 0.37f)]
    public void QuantizeLinear_FiniteNumbers_GivesTheBytesOfPack(string name, float scale)
    {
        NumberFormat format = NumberFormats.Parse(name);
        ElementType type = format.OnnxType!.Value;
        int zeroPoint = format.ZeroPoints.Least + (format.ZeroPoints.Most - format.ZeroPoints.Least) / 3;
        float[] values = Inputs(format, scale, zeroPoint);
        var graph = new Graph("quantize", 25);
        Value x = graph.AddInput("x", ElementType.Float32, [values.Length]);
        Tensor zero = Tensor.Allocate(type, []);
        format.Pack([zeroPoint]).CopyTo(zero.Bytes);
        graph.AddOutput(graph.AddNode("QuantizeLinear", [x, graph.AddConstant("scale", Tensor.From<float>([scale], [])), graph.AddConstant("zero", zero)], name: "q").Outputs[0]);
        var codes = new int[values.Length];
        format.Quantize(values, codes, scale, zeroPoint);
        AssertSame(format, values, format.Pack(codes), Run(graph, values));
    }

    [RuntimeTheory]
    [InlineData("fp8e4m3fn")]
    [InlineData("fp8e4m3fnuz")]
    [InlineData("fp8e5m2")]
    [InlineData("fp8e5m2fnuz")]
    public void Cast_AnyNumbers_GivesTheBytesOfPack(string name)
    {
        NumberFormat format = NumberFormats.Parse(name);
        float[] values = [.. Inputs(format, 1, 0), float.PositiveInfinity, float.NegativeInfinity, float.NaN, -float.NaN];
        var graph = new Graph("cast", 25);
        Value x = graph.AddInput("x", ElementType.Float32, [values.Length]);
        graph.AddOutput(graph.AddNode("Cast", [x], new() { { "to", (long)format.OnnxType!.Value } }, name: "cast").Outputs[0]);
        byte[] ours = format.Pack([.. values.Select(value => format.Encode(value))]), theirs = Run(graph, values);
        // IEEE leaves open which of several NaN it is: float8e5m2 has three.
        AssertSame(format, values[..^2], ours[..^2], theirs[..^2]);
        Assert.All(ours[^2..].Concat(theirs[^2..]), code => Assert.True(float.IsNaN(format.Decode(code)), $"{code}"));
    }

    private static byte[] Run(Graph graph, float[] values)
    {
        using OnnxRuntimeSession session = OnnxRuntimeSession.Load(s_library.Value, OnnxFile.ToBytes(graph));
        return session.Run(new Dictionary<string, Tensor> { ["x"] = Tensor.From(values, [values.Length]) }).Values.Single().Bytes.ToArray();
    }

    private static void AssertSame(NumberFormat format, float[] values, byte[] ours, byte[] theirs)
    {
        Assert.Equal(theirs.Length, ours.Length);
        (int[] a, int[] b) = (new int[values.Length], new int[values.Length]);
        format.Unpack(ours, a);
        format.Unpack(theirs, b);
        for (int i = 0; i < values.Length; i++) Assert.True(a[i] == b[i], $"{format}: {values[i]:R} at {i} gives code {a[i]}, ONNX Runtime gives {b[i]}");
        Assert.Equal(theirs, ours);
    }

    // A multiple of 4: ONNX Runtime leaves the bits behind the last element as they were.
    private static float[] Inputs(NumberFormat format, float scale, int zeroPoint)
    {
        float[] numbers = format.Numbers(zeroPoint);
        var random = new Random(11);
        List<float> values = [0, -0.0f, float.Epsilon, -1e-30f, numbers[^1] * scale * 3, numbers[0] * scale * 3 - 1];
        for (int i = 0; i + 1 < numbers.Length; i += Math.Max(1, numbers.Length / 300))
        {
            float middle = (float)(((double)numbers[i] + numbers[i + 1]) / 2) * scale;
            values.AddRange([numbers[i] * scale, middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
        }
        for (int i = 0; i < 500; i++) values.Add((float)(random.NextDouble() - 0.5) * 2.2f * numbers[^1] * scale * MathF.ScaleB(1, -i % 20));
        return [.. values.Take(values.Count / 4 * 4)];
    }
}
