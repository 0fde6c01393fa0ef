namespace Fewbit.Graphs.Passes;

/// <summary>Sequences of passes for a purpose.</summary>
public static class Passes
{
    /// <summary>A copy of the graph as a float run wants it: nothing dead, constants and batch normalization folded, activations fused, convolutions on blocks of channels.</summary>
    /// <returns>The copy; <paramref name="graph"/> stays as it is. Inputs and outputs keep their names.</returns>
    public static Graph ForExecution(Graph graph)
    {
        Graph copy = graph.Clone();
        PrepareForExecution(copy);
        return copy;
    }

    /// <summary>What <see cref="ForExecution"/> does, on the graph itself.</summary>
    /// <returns>The reports of the passes.</returns>
    public static IReadOnlyList<PassReport> PrepareForExecution(Graph graph)
    {
        Inference.Infer(graph);
        return Run(graph, new FoldConstants(), new RemoveDeadNodes(), new FoldBatchNorm { KeepsOriginal = false }, new ReplaceReduceMean(), new FuseActivation { AllowsWinograd = true },
            new FuseNormalization(), new FuseGelu(), new FuseAttention(), new RemoveDeadNodes(), new FuseMatMul(), new RemoveDeadNodes(), new BlockChannels());
    }

    /// <summary>Prepares a model before its gradients are made: what is written out in nodes becomes operators whose gradients are computed at once (normalization, Gelu, attention).</summary>
    /// <param name="graph">Changed in place. What learns must be marked as a variable before.</param>
    /// <returns>The reports of the passes.</returns>
    public static IReadOnlyList<PassReport> PrepareForGradients(Graph graph)
    {
        Inference.Infer(graph);
        return Run(graph, new FoldConstants(), new FuseNormalization(), new FuseGelu(), new FuseAttention(), new RemoveDeadNodes());
    }

    /// <summary>Prepares a graph of a whole training step, forward part and gradients, for a plan: constants folded, sums and activations fused, convolutions on blocks of channels.</summary>
    /// <param name="graph">Changed in place. Variables stay; run <see cref="TrainBatchNorm"/> before the gradients are made.</param>
    /// <param name="kept">Names of values that the plan needs beside the graph's outputs: what variables become.</param>
    /// <returns>The reports of the passes.</returns>
    public static IReadOnlyList<PassReport> PrepareForTraining(Graph graph, IEnumerable<string> kept)
    {
        // As outputs of the graph they survive every pass under their names.
        Value[] values = [.. kept.Select(name => graph.Find(name) ?? throw new ArgumentException($"the graph has no value '{name}'", nameof(kept)))];
        string[] added = [.. values.Where(value => !value.IsOutput).Select(value => value.Name).Distinct()];
        foreach (string name in added) graph.AddOutput(graph.Find(name)!);
        Inference.Infer(graph);
        IReadOnlyList<PassReport> reports = Run(graph, new FoldConstants(), new RemoveDeadNodes(), new FuseActivation { AllowsWinograd = true }, new FuseGradients { AllowsWinograd = true },
            new RemoveDeadNodes(), new FuseMatMul(), new BlockChannels());
        foreach (string name in added) graph.RemoveOutput(graph.Find(name)!);
        return reports;
    }

    /// <summary>Runs passes on a graph, one after the other.</summary>
    /// <returns>Their reports, in that order.</returns>
    public static IReadOnlyList<PassReport> Run(Graph graph, params ReadOnlySpan<IPass> passes)
    {
        var reports = new List<PassReport>(passes.Length);
        foreach (IPass pass in passes) reports.Add(pass.Run(graph));
        return reports;
    }
}
