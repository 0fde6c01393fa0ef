using Fewbit.Cli.Commands;
using Fewbit.Cli.Console;
using Fewbit.Cli.Judging;
using Fewbit.Graphs;
using Fewbit.Onnx;
using Fewbit.Promises;

namespace Fewbit.Cli.Quantizing;

/// <summary>What is done for a promise when there are no data to make it on: a careful mode that needs none.</summary>
internal static class PromiseWithoutData
{
    /// <summary>Blocks of codes where most weights belong to MatMul and Gemm, float16 otherwise.</summary>
    public static DatalessMode Choose(QuantizeSettings settings, PromiseOptions promise)
    {
        if (settings.Learning.TimeBudget is not null) throw new UsageException("--time-budget is for a search on data, and no data are given: give --calibration DIR|FILE, or leave it out");
        bool isProducts = IsOfProducts(OnnxFile.Load(settings.Model));
        QuantizeSettings chosen = settings with { Mode = settings.Mode with { Mode = isProducts ? "weight-only" : "float16" } };
        if (isProducts) chosen = chosen with { Weights = settings.Weights ?? (promise.Smallest ? "int4" : "int8") };
        DatalessMode mode = ModeArguments.OtherThanStatic(chosen)!;
        long samples = PromiseData.Parts * promise.HeldOutNeeded;
        string sentence = FormattableString.Invariant($"Without data nothing is promised: {(isProducts ? "the weights of MatMul and Gemm are codes, activations stay float" : "the model computes in float16, which is nearly always as accurate")}. ")
            + $"{Words.Whole(samples)} samples (--calibration DIR|FILE) would allow more: {(promise.Smallest ? "bits chosen layer by layer" : "int8 arithmetic")}, with at most {FormattableString.Invariant($"{promise.MaxDrop:0.###}")} points of accuracy lost shown on a fifth of them.";
        return mode with { Remark = mode.Remark is null ? sentence : $"{sentence}{Environment.NewLine}{mode.Remark}" };
    }

    /// <summary>Whether at least half of the weights of Conv, MatMul and Gemm belong to the latter two.</summary>
    private static bool IsOfProducts(Graph graph)
    {
        long products = Weights(graph, "MatMul", "Gemm");
        return products > 0 && products >= Weights(graph, "Conv", "ConvTranspose");
    }

    private static long Weights(Graph graph, params string[] operators) =>
        graph.Nodes.Where(node => operators.Contains(node.OpType)).Select(node => node.Input(1)).OfType<Value>().Distinct()
            .Sum(weight => (weight.Constant ?? weight.Producer?.Attributes.Find("value") as Tensors.Tensor)?.ElementCount ?? 0);
}
