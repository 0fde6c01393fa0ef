using Fewbit.Verification;

namespace Fewbit.Cli.Quantizing;

/// <summary>The written model in Fewbit and in ONNX Runtime.</summary>
/// <param name="OnnxRuntime">Its version.</param>
/// <param name="Samples">Samples run.</param>
/// <param name="Quantizers">Quantizers whose codes were compared.</param>
/// <param name="UnequalIntegerQuantizers">Quantizers that only integer nodes lead to and whose codes differ: expected none.</param>
/// <param name="DifferingShare">Share of differing codes, 0 to 1.</param>
/// <param name="MaxCodeDifference">Largest difference of two codes.</param>
/// <param name="Labels">Labels compared; 0 where no output has class scores.</param>
/// <param name="DifferingLabels">Labels that differ.</param>
/// <param name="ProbesChangeOutputs">True where reading the codes changed ONNX Runtime's outputs.</param>
internal sealed record Verification(
    string OnnxRuntime, long Samples, int Quantizers, int UnequalIntegerQuantizers, double DifferingShare, int MaxCodeDifference, long Labels, long DifferingLabels, bool ProbesChangeOutputs)
{
    public static Verification Of(string version, VerificationResult result) => new(
        version, result.Samples, result.Codes.Count, result.UnequalIntegerQuantizers, result.DifferingShare, result.MaxCodeDifference, result.Labels, result.DifferingLabels, result.ProbesChangeOutputs);

    public override string ToString()
    {
        string codes = Quantizers == 0 ? "activations have no codes to compare" : DifferingShare == 0 ? $"all codes equal at {Words.Plural(Quantizers, "quantizer")}" : $"{DifferingShare:0.0e+0} of the codes at {Words.Plural(Quantizers, "quantizer")} differ, by at most {MaxCodeDifference}";
        string labels = Labels == 0 ? "" : DifferingLabels == 0 ? $", all {Labels} labels equal" : $", {DifferingLabels} of {Labels} labels differ";
        return $"{codes}{labels} on {Words.Plural(Samples, "sample")} (ONNX Runtime {OnnxRuntime}){(ProbesChangeOutputs ? "; reading the codes changed its outputs, so they are not those of an ordinary run" : "")}";
    }
}
