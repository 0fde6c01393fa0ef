using Fewbit.Graphs;
using Fewbit.Tensors;

namespace Fewbit.Training;

/// <summary>The loss as nodes behind a model's first output.</summary>
/// <param name="Value">One number.</param>
/// <param name="Targets">The graph inputs that hold what the model should have said.</param>
internal sealed record Loss(Value Value, IReadOnlyList<Value> Targets)
{
    /// <summary>Appends the loss.</summary>
    /// <param name="output">Scores or numbers of the model.</param>
    /// <param name="options">What to minimize.</param>
    /// <param name="mixes">Whether each sample has two targets with one share of the first for the batch (mixup).</param>
    public static Loss Append(Value output, LossOptions options, bool mixes)
    {
        if (options.IsForClasses) return Classification(output, options, mixes);
        if (mixes) throw new ArgumentException($"mixing samples needs classes, as the losses cross-entropy and focal have, but the loss is {options.Kind}", nameof(mixes));
        Value target = output.Graph.AddInput(Trainer.Target, ElementType.Float32, output.Shape);
        return new(options.Kind switch
        {
            LossKind.MeanSquared => Losses.MeanSquared(output, target),
            LossKind.MeanAbsolute => Losses.MeanAbsolute(output, target),
            LossKind.Quantile => Losses.Quantile(output, target, options.Quantile),
            LossKind.KullbackLeibler => Divergence(output, target),
            _ => Losses.Huber(output, target, options.HuberWidth),
        }, [target]);
    }

    private static Loss Classification(Value output, LossOptions options, bool mixes)
    {
        (Value scores, SymbolicShape? shape) = AsRows(output);
        Graph graph = output.Graph;
        Value target = graph.AddInput(Trainer.Target, ElementType.Int64, shape), loss = OfClasses(scores, target, options);
        var targets = new List<Value> { target };
        if (mixes)
        {
            Value second = graph.AddInput(Trainer.SecondTarget, ElementType.Int64, shape), share = graph.AddInput(Trainer.Share, ElementType.Float32, []);
            loss = loss * share + OfClasses(scores, second, options) * (1f - share);
            targets.AddRange([second, share]);
        }
        return new(loss, targets);
    }

    private static Value OfClasses(Value scores, Value target, LossOptions options)
    {
        Value classes = target.Shape is { Rank: 1 } ? target : target.Apply("Reshape", Integers(target, -1));
        return options.Kind == LossKind.Focal ? Losses.Focal(scores, classes, options.FocalGamma) : Losses.CrossEntropy(scores, classes, labelSmoothing: options.LabelSmoothing);
    }

    private static Value Divergence(Value output, Value target)
    {
        (Value scores, _) = AsRows(output);
        Value probabilities = scores == output ? target : AsRows(target).Scores;
        return Losses.KullbackLeibler(scores.Apply("LogSoftmax", new Attributes { { "axis", 1 } }), probabilities);
    }

    /// <summary>Scores as [rows, classes], and the shape of the targets: [N, classes], [N, T, classes] (tokens) or [N, classes, 1, 1].</summary>
    private static (Value Scores, SymbolicShape? Targets) AsRows(Value output)
    {
        if (output.Shape is not { Rank: >= 2 and <= 4 } shape || (shape.Rank == 4 && !(shape[2].MayEqual(1) && shape[3].MayEqual(1))) || !shape[shape.Rank == 4 ? 1 : shape.Rank - 1].IsKnown)
            throw new ArgumentException($"output {output} holds no class scores, expected [N, classes] or, for tokens, [N, T, classes]; name the output of the scores first or choose another loss", nameof(output));
        return shape.Rank switch
        {
            2 => (output, [shape[0]]),
            3 => (output.Apply("Reshape", Integers(output, -1, shape[2].Length)), [shape[0], shape[1]]),
            _ => (output.Apply("Flatten"), [shape[0]]),
        };
    }

    private static Value Integers(Value near, params long[] numbers) => near.Graph.AddConstant("shape", Tensor.From<long>(numbers));
}
