using Fewbit.Cli.Timing;
using Fewbit.Quantization;
using Fewbit.Tensors.Emission;

namespace Fewbit.Cli.Quantizing;

/// <summary>Says honestly when fewer bits bring no speed, and what is known of the reason.</summary>
internal static class SpeedSentence
{
    private const double Noticeable = 1.05, MostlyInteger = 0.7, SmallSeconds = 1e-3;

    /// <summary>Null where the model is faster in every engine that timed it.</summary>
    public static string? Of(QuantizationOptions options, IReadOnlyList<EngineSpeed> speeds, CostShare cost)
    {
        EngineSpeed[] slow = [.. speeds.Where(speed => speed.Speedup < Noticeable)];
        if (slow.Length == 0) return Limit(options);
        string engines = string.Join(" and in ", slow.Select(speed => speed.Engine));
        if (speeds.Except(slow).FirstOrDefault() is { } fast)
            return $"{options.Weights.Name} brings speed in {fast.Engine} only: in {engines} a run takes about as long as in float, or longer. {Limit(options)}".TrimEnd();
        return $"{options.Weights.Name} brings no speed in {engines} on this machine: {Reason(slow, cost)}. {Limit(options)}".TrimEnd();
    }

    /// <summary>What formats other than int8 cannot bring; null for int8.</summary>
    private static string? Limit(QuantizationOptions options)
    {
        if (options is { Activations: not null, RunsInIntegers: false }) return $"ONNX Runtime computes {options.Weights} weights with {options.Activations} activations in float: they make the model smaller, not faster.";
        return options.Weights.BitWidth == 8 ? null : $"Weights of {options.Weights.BitWidth} bits run as 8-bit codes: below int8 they bring no further speed.";
    }

    private static string Reason(EngineSpeed[] slow, CostShare cost)
    {
        if (cost.Integer < MostlyInteger) return $"{Words.Percent(1 - cost.Integer.Value, 0)} of its multiply-adds stay float";
        if (slow.All(speed => speed.FloatSeconds < SmallSeconds)) return "the model is small, so that a run is mostly the fixed cost of its nodes";
        return EmittedKernels.IsVnniSupported || System.Runtime.Intrinsics.X86.AvxVnni.IsSupported || System.Runtime.Intrinsics.Arm.Dp.IsSupported
            ? "quantizing and dequantizing cost what integer arithmetic saves"
            : "its processor has no instruction for 8-bit dot products (VNNI)";
    }
}
