namespace Fewbit.Graphs.Operators.Movement;

/// <summary>Gradients of the data (input 0) and the updates (input 2) of a scatter, for each of its reductions.</summary>
/// <param name="Reduction">What the scatter does where an element lies already.</param>
/// <param name="Gather">Takes from a tensor like the data what lies at the places of the updates.</param>
/// <param name="Scatter">The same scatter of other data and updates under another reduction.</param>
internal sealed record ScatterGradients(ScatterReduction Reduction, Func<Value, Value> Gather, Func<Value, Value, string, Value> Scatter)
{
    public void Apply(GradientContext context)
    {
        if (context.OutputGradient() is not { } gradient) return;
        (Value? data, Value? updates) = Reduction switch
        {
            ScatterReduction.None => (Scatter(gradient, context.Input(2).Filled(0), "none"), Gather(gradient)),
            ScatterReduction.Add => (gradient, Gather(gradient)),
            ScatterReduction.Mul => OfProduct(context.Input(0), context.Input(2), gradient),
            _ => OfExtremum(context, gradient),
        };
        if (context.Needs(0)) context.SetInputGradient(0, data);
        if (context.Needs(2)) context.SetInputGradient(2, updates);
    }

    /// <summary>The product of the other factors of a place. It is found without a quotient by 0: from the product of the factors that are not 0, and the number of those that are.</summary>
    private (Value Data, Value Updates) OfProduct(Value data, Value updates, Value gradient)
    {
        Value zeroInData = IsZero(data), zeroInUpdates = IsZero(updates), one = data.Scalar(1), none = data.Scalar(0);
        (Value dataFactor, Value updateFactor) = (zeroInData.Apply("Where", one, data), zeroInUpdates.Apply("Where", one, updates));
        Value product = Scatter(dataFactor, updateFactor, "mul"), zeros = Scatter(zeroInData.Apply("CastLike", data), zeroInUpdates.Apply("CastLike", data), "add");
        Value Others(Value product, Value zeros, Value factor, Value isZero) =>
            zeros.Apply("Equal", isZero.Apply("CastLike", zeros)).Apply("Where", product / factor, none);
        return (gradient * Others(product, zeros, dataFactor, zeroInData), Gather(gradient) * Others(Gather(product), Gather(zeros), updateFactor, zeroInUpdates));
    }

    /// <summary>To the elements that were taken, in equal parts.</summary>
    private (Value Data, Value Updates) OfExtremum(GradientContext context, Value gradient)
    {
        (Value data, Value updates, Value y) = (context.Input(0), context.Input(2), context.Output());
        Value ofData = data.Apply("Equal", y).Apply("CastLike", data), ofUpdates = updates.Apply("Equal", Gather(y)).Apply("CastLike", data);
        Value share = gradient / Scatter(ofData, ofUpdates, "add");
        return (ofData * share, ofUpdates * Gather(share));
    }

    private static Value IsZero(Value value) => value.Apply("Equal", value.Scalar(0));
}
